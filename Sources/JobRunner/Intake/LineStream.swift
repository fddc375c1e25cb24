package import JobCore

/// Reads the jobs of a `.jsonl` file of any size, piece by piece: only a few lines of it are ever
/// in memory. Pure: bytes in, submissions or one problem out.
///
/// A piece means what the whole file would mean, with one exception: a job may not come after
/// others, for they may stand in another piece.
package struct LineStream {
    /// Bytes of one line, at most.
    package static let lineBytesMax = JobFile.bytesMax

    private let limits: Limits
    private let rows: RowsFile.Reader
    private let parse: JobFile.JobParser
    /// What was added and not read yet; it begins with a line.
    private var text: [UInt8] = []
    /// Of the first line there, from 1.
    private var line = 1
    private var isAtEnd = false
    /// What the search for the end of the next piece has found in it.
    private var found = Found()
    /// Bytes of CSVs that further jobs may have.
    private var rowsBytes: Int
    /// Lines of the last piece's jobs, from 1.
    package private(set) var lines: [Int] = []

    private struct Found {
        /// Behind the last whole line.
        var end = 0
        var lines = 0
        /// Lines that are not empty.
        var jobs = 0
        /// No line ends between `end` and here.
        var seen = 0
    }

    package init(
        limits: Limits,
        rows: @escaping RowsFile.Reader = RowsFile.none,
        parse: @escaping JobFile.JobParser
    ) {
        self.limits = limits
        self.rows = rows
        self.parse = parse
        rowsBytes = limits.eachBytes
    }

    /// How many bytes should be added at a time.
    package static let sliceBytes = 256 << 10

    /// The bytes that come next; none at the end of the file.
    package mutating func add(_ bytes: [UInt8]) {
        text += bytes
        isAtEnd = bytes.isEmpty
    }

    /// The jobs of the next piece, perhaps none; nil when more of the file is needed first.
    package mutating func next() throws(JobFileProblem) -> [Submission]? {
        guard let end = try endOfPiece() else { return nil }
        let piece = Array(text[..<end])
        text.removeFirst(end)
        found = Found()
        let jobs = try read(piece)
        line += piece.count { $0 == UInt8(ascii: "\n") }
        return jobs
    }

    /// True when all of the file was read.
    package var isDone: Bool { isAtEnd && text.isEmpty }

    /// Behind so many whole lines as make a piece; nil when more is needed. What was looked at
    /// before is not looked at again.
    private mutating func endOfPiece() throws(JobFileProblem) -> Int? {
        let jobsMax = min(FilePiece.jobsMax, limits.submissionJobs)
        while found.jobs < jobsMax, found.end < FilePiece.bytesMax {
            let feed = text[found.seen...].firstIndex(of: UInt8(ascii: "\n"))
            found.seen = feed ?? text.count
            guard found.seen - found.end <= Self.lineBytesMax else { throw tooLong }
            guard let feed else { return isAtEnd && !text.isEmpty ? text.count : nil }
            if text[found.end..<feed].contains(where: { !isSpace($0) }) { found.jobs += 1 }
            found.lines += 1
            found.seen = feed + 1
            found.end = found.seen
        }
        return found.end
    }

    private var tooLong: JobFileProblem {
        JobFileProblem(
            "The line has more than \(Self.lineBytesMax) bytes.",
            at: .init(line: line + found.lines, column: 1),
            hint: "Write one job a line; a large input belongs into a CSV or a database."
        )
    }

    private mutating func read(_ piece: [UInt8]) throws(JobFileProblem) -> [Submission] {
        do throws(JobFileProblem) {
            if line == 1 { try JobFile.checkMark(piece) }
            try JobFile.checkText(piece)
            var collector = JobCollector(text: piece, limits, rows: rows, parse: parse)
            collector.rowsBytes = rowsBytes
            lines = try collector.readLines().map { $0 + line - 1 }
            try collector.checkStandAlone()
            rowsBytes = collector.rowsBytes
            return collector.jobs
        } catch {
            var problem = error
            problem.place.line += line - 1
            throw problem
        }
    }
}

/// Counts the jobs of a file of lines without reading them.
package struct LineCount {
    /// Lines that are not empty.
    package private(set) var jobs = 0
    private var hasText = false

    package init() {}

    package mutating func add(_ bytes: [UInt8]) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                hasText = false
            } else if !hasText, !isSpace(byte) {
                hasText = true
                jobs += 1
            }
        }
    }
}
