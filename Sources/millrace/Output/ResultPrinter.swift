internal import ArgumentParser
internal import Glibc
internal import JobClient
internal import JobCore
internal import JobWire

/// Prints what came of jobs: results to standard output or a file, errors to people.
struct ResultPrinter {
    /// Never a table; of several frames, as they are stored.
    var raw = false
    /// An aligned table, also where no terminal is.
    var table = false
    /// A file instead of standard output.
    var output: String?

    /// Fetches and prints one result after the other, with a header for people when there are
    /// several. What cannot be had of one job does not keep the others back.
    func print(
        _ ids: [JobID],
        fetch: (JobID) throws -> JobResult?
    ) throws -> ExitCode {
        let file = output.map(OutputFile.init)
        var codes: [ExitCode] = []
        for id in ids {
            do {
                codes.append(try print(try fetch(id), of: id, isOne: ids.count == 1, to: file))
            } catch let error as ClientError {
                guard case .refused = error else { throw error }
                Console.tell(error)
                codes.append(ExitCode(ending: error))
            }
        }
        return .worst(of: codes)
    }

    private func print(
        _ result: JobResult?,
        of id: JobID,
        isOne: Bool,
        to file: OutputFile?
    ) throws -> ExitCode {
        guard let result else {
            Console.tell("Job \(id.rawValue) has not ended.")
            return .notEnded
        }
        guard result.end.state == .succeeded else {
            Console.tell(JobEndError(result.end))
            return ExitCode(of: result.end.state)
        }
        if !isOne { Console.tell("Job \(id.rawValue):") }
        // A command's standard error goes where its output would have gone with it.
        if let said = result.head?.stderr, !said.isEmpty {
            let line = said.hasSuffix("\n") ? String(said.dropLast()) : said
            Console.tell(printable(line, keepingLines: true))
        }
        if file == nil, !raw, table || Console.outIsTerminal,
            let rows = ResultTable(result.bytes)
        {
            for line in rows.table.lines(color: Console.outHasColor) { Console.print(line) }
            Console.tell(rows.summary)
            return .success
        }
        // One result is given byte for byte; what follows it must begin a line of its own.
        let isFollowed = !isOne || (file == nil && (table || Console.outIsTerminal))
        let newline = UInt8(ascii: "\n")
        let frames = raw ? [result.bytes] : result.frames
        let bytes = frames.count == 1 ? frames[0] : Array(frames.joined(separator: [newline]))
        let ending = isFollowed && bytes.last != newline ? [newline] : []
        if let file {
            try file.write(bytes + ending)
        } else {
            Console.write(bytes + ending)
        }
        return .success
    }
}

/// A job that did not succeed, as something to tell people.
struct JobEndError: Explained {
    let summary: String
    let hint: String?

    init(_ end: JobEnd) {
        if end.state == .cancelled {
            summary = "Job \(end.id.rawValue) was cancelled."
            hint = nil
        } else {
            let why = end.failure.map { ": \($0.message)" } ?? "."
            summary = "Job \(end.id.rawValue) failed\(why)"
            hint = end.failure?.hint
        }
    }
}

/// A file that is made or replaced when there is something to write, and closed with the last
/// owner.
private final class OutputFile {
    private let path: String
    private var file: UnsafeMutablePointer<FILE>?

    init(_ path: String) { self.path = path }

    func write(_ bytes: [UInt8]) throws {
        file = file ?? fopen(path, "w")
        guard let file, fwrite(bytes, 1, bytes.count, file) == bytes.count, fflush(file) == 0 else {
            throw FileError(path: path, errno: errno)
        }
    }

    deinit {
        if let file { fclose(file) }
    }
}
