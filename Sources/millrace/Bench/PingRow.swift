internal import ZeroMQ

/// Row F: how fast the front door answers while everything behind it is busy.
extension BenchStage {
    /// Beside the runner, a bare echo is asked under the same load: what it takes is the machine's
    /// and libzmq's part.
    func measurePings(_ load: BenchLoad) throws {
        let target = load.target
        let echo = try Echo()
        defer { echo.end() }
        let scans = try BenchScans(target, beyondWorkers: 2)
        let pings = plan.count(.pings)
        let (runner, bare) = (target.endpoints[target.endpoints.count - 1].endpoint, echo.endpoint)
        let stop = stop
        let pinger = try BenchThread {
            try pingBoth(runner, bare, times: pings, stop)
        }
        let line = try target.line()
        let batch = BenchJobs.noOps(plan.batch).batch(0..<plan.batch)
        while !pinger.hasEnded {
            try line.send(batch)
            _ = try line.next()
            try scans.topUp()
        }
        let found = try pinger.outcome()
        try scans.cancel()
        book.note(.pings, "sys.ping", found.runner, goals: ["p99": 2, "p99.9": 5])
        book.note(.pings, "bare echo", found.echo)
    }
}

/// Asks the one, then the other, then rests for 1 ms, on connections of its own.
private func pingBoth(
    _ runner: String,
    _ echo: String,
    times: Int,
    _ stop: StopSignals
) throws -> (runner: Latencies, echo: Latencies) {
    let context = try Context()
    let lines = try [runner, echo].map { try BenchLine(to: $0, in: context, stop: stop) }
    let messages = [BenchLine.message("sys.ping", []), Echo.message]
    for (line, message) in zip(lines, messages) {
        try line.send(message)
        _ = try line.next()
    }
    var found = [Latencies(), Latencies()]
    for _ in 0..<times {
        for place in lines.indices {
            let start = nanoseconds()
            try lines[place].send(messages[place])
            _ = try lines[place].next()
            found[place].add(nanoseconds() - start)
        }
        pause(ms: 1)
    }
    return (found[0], found[1])
}

/// A router that sends back what it gets, over tcp, and does nothing else.
private final class Echo {
    let endpoint: String
    private let context: Context
    private let thread: BenchThread<Void>

    /// As a reply of the runner looks, for it comes back as it is.
    static let message = [[], Array("MDPC01".utf8), Array("sys.ping".utf8), Array("200".utf8), []]

    init() throws {
        let (context, endpoint) = (try Context(), "tcp://127.0.0.1:\(try freePort())")
        thread = try BenchThread {
            let socket = try Socket(.router, in: context)
            try socket.bind(endpoint)
            do {
                while case .message(let frames) = try socket.receive(
                    limits: .unlimited,
                    waiting: true
                ) {
                    _ = try socket.send(frames, waiting: true)
                }
            } catch let error as ZeroMQError where error.isShutdown {}
        }
        self.context = context
        self.endpoint = endpoint
    }

    func end() { context.shutdown() }
}
