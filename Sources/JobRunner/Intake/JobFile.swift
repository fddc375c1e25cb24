package import JobCore

/// The formats in which a file holds jobs, and how its bytes become submissions: for the spool, for
/// `millrace check` and for `millrace submit`. Pure: bytes in, values or one problem out.
///
/// A file is accepted whole or not at all. Every job ends up as a JSON object in the words of the
/// protocol and goes through the protocol's own parser, so that a file means the same as a message.
package enum JobFile: String, CaseIterable, Sendable {
    /// One statement, with headers in its leading comments.
    case sql
    /// One job, or `{"jobs": [job, …]}`.
    case json
    /// The same in YAML, for people.
    case yaml
    /// One job a line; empty lines are allowed.
    case jsonl

    /// Reads one job, a JSON object in UTF-8, in the protocol's words, with its binary frames.
    package typealias JobParser =
        @Sendable (_ job: [UInt8], _ frames: [[UInt8]]) throws(Refusal) -> Submission

    /// The largest file, in bytes.
    package static let bytesMax = 16 << 20
    /// The largest `.jsonl` file that is read line by line, in bytes: 16 GiB.
    package static let linesBytesMax = 16 << 30
    /// The largest YAML file, in bytes: its tree takes many times as much memory.
    package static let yamlBytesMax = 1 << 20

    /// The extensions that mean a format, for sentences.
    package static let extensions = ".sql, .json, .yaml, .yml, .jsonl"

    /// By the extension, in any case; nil when it means none.
    package init?(fileName: String) {
        guard let dot = fileName.lastIndex(of: "."), dot > fileName.startIndex else { return nil }
        let ending = fileName[fileName.index(after: dot)...].lowercased()
        self.init(rawValue: ending == "yml" ? "yaml" : ending)
    }

    /// At least one job, and at most as many as one submission may hold.
    ///
    /// `rows` gives the CSVs that jobs of the file name in `each`.
    package func submissions(
        in bytes: [UInt8],
        limits: Limits = Limits(),
        rows: @escaping RowsFile.Reader = RowsFile.none,
        parse: @escaping JobParser
    ) throws(JobFileProblem) -> [Submission] {
        try checkSize(bytes.count)
        try Self.checkMark(bytes)
        try Self.checkText(bytes)
        var collector = JobCollector(text: bytes, limits, rows: rows, parse: parse)
        switch self {
        case .sql: try collector.readSQL()
        case .json: try collector.readJSON()
        case .yaml: try collector.readYAML()
        case .jsonl: _ = try collector.readLines()
        }
        try collector.link()
        guard !collector.jobs.isEmpty else {
            throw .noJobs
        }
        return collector.jobs
    }

    /// Whether a file of lines holds more jobs than one submission may.
    package static func needsPieces(_ bytes: [UInt8], _ limits: Limits) -> Bool {
        var count = LineCount()
        count.add(bytes)
        return count.jobs > limits.submissionJobs
    }

    private func checkSize(_ count: Int) throws(JobFileProblem) {
        let most = self == .yaml ? Self.yamlBytesMax : Self.bytesMax
        guard count > most else { return }
        var problem = JobFileProblem.tooLarge(Int64(count), most: most)
        if self == .jsonl {
            problem.hint = "Put it into the jobs directory, where it is read piece by piece."
        }
        throw problem
    }

    /// Of the beginning of a file.
    static func checkMark(_ bytes: [UInt8]) throws(JobFileProblem) {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw JobFileProblem(
                "The file begins with a byte order mark.",
                at: .start,
                hint: "Save it as UTF-8 without a byte order mark."
            )
        }
    }

    static func checkText(_ bytes: [UInt8]) throws(JobFileProblem) {
        do {
            _ = try UTF8Span(validating: bytes.span)
        } catch {
            throw JobFileProblem(
                "The bytes are not UTF-8.",
                at: Place(of: error.byteOffsets.lowerBound, in: bytes),
                hint: "Save the file as UTF-8."
            )
        }
    }
}

extension JobFileProblem {
    static func tooLarge(_ size: Int64, most: Int = JobFile.bytesMax) -> JobFileProblem {
        JobFileProblem(
            "The file has \(size) bytes; at most \(most) are read from such a file.",
            at: .start,
            hint: most == JobFile.yamlBytesMax
                ? "Write many jobs as .jsonl, one job a line." : "Split it into several files."
        )
    }
}

extension JobFile {
    package typealias Place = JobFileProblem.Place
}
