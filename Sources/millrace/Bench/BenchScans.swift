internal import JobWire

/// Full scans that keep all workers of a runner busy, as many as are wanted at any time.
final class BenchScans {
    private let line: BenchLine
    private let asker: BenchLine
    private let wanted: Int
    private var open = 0
    private var sent = 0

    static let queue = "scans"

    /// So many wait beside those that run.
    init(_ target: BenchTarget, beyondWorkers: Int) throws {
        line = try target.line()
        asker = try target.line()
        let workers = try asker.ask("sys.info")["workers"]?.integerValue ?? 1
        wanted = Int(workers) + beyondWorkers
        try topUp()
        // Until workers have begun and others wait; on a small table they may never be seen to.
        for _ in 0..<1_000 {
            let waiting = try target.count("queued", in: Self.queue, by: asker)
            if waiting >= max(beyondWorkers / 2, 1) { break }
            pause(ms: 1)
            try topUp()
        }
    }

    /// Puts a new one in the place of each that has ended. Each is another statement's run, for its
    /// parameter differs.
    func topUp() throws {
        while try line.nextIfAny() != nil { open -= 1 }
        while open < wanted {
            let body =
                #"{"sql":"\#(BenchTables.scan)","params":[\#(sent)],"database":"rows","#
                + #""queue":"\#(Self.queue)","wait_ms":60000}"#
            try line.send(BenchLine.message("job.submit", Array(body.utf8)))
            sent += 1
            open += 1
        }
    }

    /// Calls off those that have not ended.
    func cancel() throws { _ = try asker.ask("job.cancel", ["queue": .string(Self.queue)]) }
}
