internal import ZeroMQ

/// Keeps so many requests under way on each of several connections until all are answered.
struct BenchPipeline {
    let lines: [BenchLine]
    /// Requests under way on each connection. With one, replies tell how long they took.
    let window: Int
    let stop: StopSignals

    /// - Parameters:
    ///   - count: Requests in all.
    ///   - message: The frames of each, by its number from 0.
    ///   - heard: Gets every reply, with ns since the last request went out on its connection.
    /// - Throws: When one is refused, or none comes for a minute.
    func run(
        _ count: Int,
        message: (Int) -> [[UInt8]],
        heard: (BenchReply, UInt64) throws -> Void
    ) throws {
        var poll = PollSet()
        for line in lines { line.join(&poll) }
        var sentAt = [UInt64](repeating: 0, count: lines.count)
        var next = 0
        for _ in 0..<window {
            for (place, line) in lines.enumerated() where next < count {
                sentAt[place] = nanoseconds()
                try line.send(message(next))
                next += 1
            }
        }
        var open = next
        var silentSince = nanoseconds()
        while open > 0 {
            var heardAny = false
            for (place, line) in lines.enumerated() {
                while let reply = try line.nextIfAny() {
                    let now = nanoseconds()
                    heardAny = true
                    open -= 1
                    try heard(reply, now - sentAt[place])
                    guard next < count else { continue }
                    sentAt[place] = nanoseconds()
                    try line.send(message(next))
                    next += 1
                    open += 1
                }
            }
            if heardAny {
                silentSince = nanoseconds()
            } else if nanoseconds() - silentSince > BenchLine.patienceNs {
                throw BenchError.silence(endpoint: lines[0].endpoint)
            }
            if open > 0 {
                try stop.check()
                try poll.wait(timeout: .milliseconds(200))
            }
        }
    }
}
