internal import ArgumentParser
internal import JobClient
internal import JobCore
internal import JobWire

/// Waits for jobs, with a progress bar on a terminal.
struct Waiting {
    let client: JobClient

    /// How often the bar is drawn anew. Nobody watches a pipe.
    private var step: Duration { Console.errorIsTerminal ? .milliseconds(500) : .seconds(5) }

    /// The ends of those that ended in time; nil waits for ever.
    func ends(of ids: [JobID], timeout: Duration?) throws -> [JSON] {
        let bar = ProgressBar(total: ids.count)
        defer { Console.draw("") }
        return try client.wait(for: ids, timeout: timeout, step: step) { done in
            Console.draw(line(of: ids) ?? bar.line(done: done))
            return true
        }
    }

    /// How far the only job is; nil when there are several, or when nobody would see it.
    private func line(of ids: [JobID]) -> String? {
        guard ids.count == 1, Console.errorIsTerminal else { return nil }
        return (try? client.show(ids))?.first.map(ProgressBar.line(of:))
    }

    /// Prints the results of those that ended in time, and tells how the program shall end.
    func results(of ids: [JobID], timeout: Duration?, to printer: ResultPrinter) throws -> ExitCode
    {
        let isOne = ids.count == 1
        // One that nobody watches is waited for and fetched by the same request.
        let isWatched = !isOne || Console.errorIsTerminal
        if isWatched && timeout != .zero { _ = try ends(of: ids, timeout: timeout) }
        return try printer.print(ids) { id in
            try client.result(of: id, wait: isWatched ? .zero : timeout)
        }
    }
}
