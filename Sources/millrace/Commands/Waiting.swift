internal import JobClient
internal import JobCore
internal import JobWire

/// Waits for jobs, with a progress bar on a terminal.
struct Waiting {
    let client: JobClient

    /// How often the bar is drawn anew. Nobody watches a pipe.
    private var step: Duration { Console.errorIsTerminal ? .milliseconds(500) : .seconds(60) }

    /// The ends of those that ended in time; nil waits for ever.
    func ends(of ids: [JobID], timeout: Duration?) throws -> [JSON] {
        let bar = ProgressBar(total: ids.count)
        defer { Console.draw("") }
        return try client.wait(for: ids, timeout: timeout, step: step) { done in
            Console.draw(bar.line(done: done))
            return true
        }
    }

    /// The results too. One job needs no bar and one request less.
    func outcomes(
        of ids: [JobID],
        timeout: Duration?
    ) throws -> [(id: JobID, outcome: JobOutcome?)] {
        if ids.count > 1 && timeout != .zero { _ = try ends(of: ids, timeout: timeout) }
        let wait = ids.count == 1 ? timeout : .zero
        return try ids.map { (id: $0, outcome: try client.result(of: $0, wait: wait)) }
    }
}
