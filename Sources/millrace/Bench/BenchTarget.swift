internal import JobWire
internal import ZeroMQ

/// The runner that is measured: one of the bench's own, or one that runs already.
struct BenchTarget {
    /// By the names of their transports.
    let endpoints: [(name: String, endpoint: String)]
    /// Nil when it is not ours to end or to look into.
    let process: BenchProcess?
    let context: Context
    let stop: StopSignals

    init(_ process: BenchProcess, _ context: Context, _ stop: StopSignals) {
        endpoints = [("ipc", process.ipc), ("tcp", process.tcp)]
        self.process = process
        self.context = context
        self.stop = stop
    }

    init(connecting endpoint: String, _ context: Context, _ stop: StopSignals) {
        endpoints = [(endpoint.hasPrefix("tcp:") ? "tcp" : "ipc", endpoint)]
        process = nil
        self.context = context
        self.stop = stop
    }

    /// The queue of the jobs that are measured.
    var queue: String { process == nil ? "bench" : "default" }
    /// Others' runners shall not keep what nobody asks for again: an hour is enough.
    var terms: String { process == nil ? #","queue":"bench","keep_ms":3600000"# : "" }

    func line(_ endpoint: String? = nil) throws -> BenchLine {
        try BenchLine(to: endpoint ?? endpoints[0].endpoint, in: context, stop: stop)
    }

    func pipeline(_ lines: Int, window: Int, to endpoint: String? = nil) throws -> BenchPipeline {
        let lines = try (0..<lines).map { _ in try line(endpoint) }
        return BenchPipeline(lines: lines, window: window, stop: stop)
    }

    /// How many jobs of a queue are in this state.
    func count(_ state: String, in queue: String? = nil, by line: BenchLine) throws -> Int {
        let name = queue ?? self.queue
        let reply = try line.ask("queue.list", ["queue": .string(name)])
        let found = reply["queues"]?.arrayValue?.first { $0["queue"] == .string(name) }
        return Int(found?["counts"]?[state]?.integerValue ?? 0)
    }

    /// Waits until so many jobs of the queue have succeeded.
    ///
    /// It asks again 1 ms after each answer: often enough to be exact, and nearly for nothing.
    func waitUntil(_ succeeded: Int, by line: BenchLine) throws {
        var last = -1
        var movedAt = nanoseconds()
        while true {
            let count = try self.count("succeeded", by: line)
            if count >= succeeded { return }
            if count != last { (last, movedAt) = (count, nanoseconds()) }
            if seconds(since: movedAt) > 60 {
                let failed = try self.count("failed", by: line)
                throw BenchError.wrong(
                    "\(count) of \(succeeded) jobs have succeeded, \(failed) failed, and no more do"
                )
            }
            pause(ms: 1)
        }
    }
}
