internal import ArgumentParser
internal import Glibc
internal import JobClient
internal import JobCore

/// Prints what came of jobs: results to standard output or a file, errors to people.
struct ResultPrinter {
    /// Never a table.
    var raw = false
    /// A file instead of standard output.
    var output: String?

    /// Prints all outcomes; with several, a header on standard error before each.
    func print(_ outcomes: [(id: JobID, outcome: JobOutcome?)]) throws -> ExitCode {
        let file = try output.map(OutputFile.init)
        for (id, outcome) in outcomes {
            guard let outcome else {
                Console.tell("Job \(id.rawValue) has not ended.")
                continue
            }
            if outcomes.count > 1 && outcome.state == .succeeded {
                Console.tell("Job \(id.rawValue):")
            }
            try print(outcome, to: file)
        }
        return .worst(of: outcomes.map { $0.outcome.map { ExitCode(of: $0.state) } ?? .notEnded })
    }

    private func print(_ outcome: JobOutcome, to file: OutputFile?) throws {
        guard outcome.state == .succeeded else {
            Console.tell(JobEndError(outcome))
            return
        }
        if let file {
            try file.write(outcome.bytes)
        } else if !raw, Console.outIsTerminal, let result = ResultTable(outcome.bytes) {
            Console.print(result.table)
            Console.tell(result.summary)
        } else {
            Console.write(outcome.bytes)
            // So that a prompt or the next result begins a line of its own.
            if Console.outIsTerminal && outcome.bytes.last != UInt8(ascii: "\n") {
                Console.print("")
            }
        }
    }
}

/// A job that did not succeed, as something to tell people.
struct JobEndError: Explained {
    let summary: String
    let hint: String?

    init(_ outcome: JobOutcome) {
        let word = outcome.state == .cancelled ? "was cancelled" : "failed"
        let why = outcome.error.map { outcome.state == .cancelled ? "" : ": \($0.summary)" }
        summary = "Job \(outcome.id.rawValue) \(word)\(why ?? ".")"
        hint = outcome.error?.hint
    }
}

/// A file that is made or replaced, and closed with the last owner.
private final class OutputFile {
    private let path: String
    private let file: UnsafeMutablePointer<FILE>

    init(_ path: String) throws {
        guard let file = fopen(path, "w") else { throw FileError(path: path, errno: errno) }
        self.path = path
        self.file = file
    }

    func write(_ bytes: [UInt8]) throws {
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count, fflush(file) == 0 else {
            throw FileError(path: path, errno: errno)
        }
    }

    deinit { fclose(file) }
}
