internal import Glibc
internal import JobCore
internal import JobRunner
internal import JobWire

/// Where `submit FILE` and `check FILE` get jobs from: the parser of the spool directory.
enum JobFiles {
    /// What a file asks for: jobs in the protocol's words, and the CSVs that they refer to.
    struct Found {
        private(set) var jobs: [JSON] = []
        private(set) var frames: [[UInt8]] = []

        /// Adds a job that refers to its CSV, if it has one, as the only frame.
        fileprivate mutating func add(_ job: JSON, _ csv: [UInt8]?) {
            guard let csv, let members = job.objectValue?.members else { return jobs.append(job) }
            let place = frames.firstIndex(of: csv) ?? frames.count
            if place == frames.count { frames.append(csv) }
            var object = JSONObject()
            for member in members {
                let isRows = member.key == "each"
                _ = object.append(
                    member.key,
                    isRows ? ["$frame": .integer(Int64(place + 2))] : member.value
                )
            }
            jobs.append(.object(object))
        }
    }

    /// The jobs of one file. Whether their kernels and databases exist is for the runner to say.
    static func jobs(inFile path: String) throws -> Found {
        var limits = Limits()
        limits.submissionJobs = .max  // How many there may be is for the runner to say, too.
        let submissions = try submissions(inFile: path, limits) { (job, frames) throws(Refusal) in
            // Only carried along: the runner reads it.
            var spec = Spec(kind: .sql, body: job, timeoutMs: 1)
            spec.frames = frames.map { Spec.Frame(number: 2, bytes: $0) }
            return Submission(spec: spec, fingerprint: 0)
        }
        var found = Found()
        for spec in submissions.map(\.spec) {
            found.add(try JSON(parsing: spec.body), spec.frames.first?.bytes)
        }
        return found
    }

    /// Reads the file as a runner with this catalog would.
    ///
    /// - Returns: How many jobs it holds.
    static func check(file path: String, by catalog: Catalog, _ limits: Limits) throws -> Int {
        let reader = JobReader(catalog)
        let parse: JobFile.JobParser = { (job, frames) throws(Refusal) in
            try reader.job(job, frames: frames)
        }
        if JobFile(fileName: path) == .jsonl {
            let bytes = try read(path, atMost: JobFile.bytesMax)
            if bytes.count > JobFile.bytesMax || JobFile.needsPieces(bytes, limits) {
                return try checkLines(inFile: path, limits, parse: parse)
            }
        }
        return try submissions(inFile: path, limits, parse: parse).count
    }

    /// Reads a file that holds more jobs than one submission piece by piece, as the spool does.
    /// Keys that stand in two pieces are found by the store.
    private static func checkLines(
        inFile path: String,
        _ limits: Limits,
        parse: @escaping JobFile.JobParser
    ) throws -> Int {
        let file = try open(path)
        defer { close(file) }
        let directory = directory(of: path)
        var stream = LineStream(
            limits: limits,
            rows: { name throws(RowsProblem) in
                try rows(inFile: directory + name, name, atMost: limits.eachBytes)
            },
            parse: parse
        )
        var count = 0
        do {
            while !stream.isDone {
                if let jobs = try stream.next() {
                    count += jobs.count
                } else {
                    stream.add(try read(path, file, atMost: LineStream.sliceBytes))
                }
            }
        } catch let problem as JobFileProblem {
            throw JobFileError(summary: "\(path): \(problem.summary)", hint: problem.hint)
        }
        guard count <= limits.waitingJobs else {
            throw JobFileError(
                summary: "\(path): The file holds \(count) jobs; at most \(limits.waitingJobs) "
                    + "may wait.",
                hint: "Split it into several files, or raise waiting_jobs in the settings."
            )
        }
        return count
    }

    private static func directory(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    }

    private static func submissions(
        inFile path: String,
        _ limits: Limits,
        parse: @escaping JobFile.JobParser
    ) throws -> [Submission] {
        guard let format = JobFile(fileName: path) else {
            throw JobFileError(
                summary: "\(path): nothing is known of files with this ending.",
                hint: "Jobs are read from \(JobFile.extensions)."
            )
        }
        let bytes = try read(path, atMost: JobFile.bytesMax)
        let directory = directory(of: path)
        do throws(JobFileProblem) {
            return try format.submissions(
                in: bytes,
                limits: limits,
                rows: { name throws(RowsProblem) in
                    try rows(inFile: directory + name, name, atMost: limits.eachBytes)
                },
                parse: parse
            )
        } catch {
            throw JobFileError(summary: "\(path): \(error.summary)", hint: error.hint)
        }
    }

    private static func rows(
        inFile path: String,
        _ name: String,
        atMost most: Int
    ) throws(RowsProblem) -> [UInt8] {
        let bytes: [UInt8]
        do { bytes = try read(path, atMost: most) } catch {
            throw access(path, F_OK) == 0 ? RowsProblem(error.summary) : .missing(name)
        }
        guard bytes.count <= most else { throw .tooLarge(name, most: most) }
        return bytes
    }

    /// A little more than `most` is read, so that too much is noticed.
    private static func read(_ path: String, atMost most: Int) throws(JobFileError) -> [UInt8] {
        let file = try open(path)
        defer { close(file) }
        var bytes: [UInt8] = []
        while bytes.count <= most {
            let piece = try read(path, file, atMost: 1 << 16)
            if piece.isEmpty { break }
            bytes += piece
        }
        return bytes
    }

    private static func open(_ path: String) throws(JobFileError) -> CInt {
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            let reason = String(cString: strerror(errno))
            throw JobFileError(summary: "\(path) cannot be opened: \(reason).", hint: nil)
        }
        return file
    }

    /// What comes next of an open file; nothing at its end.
    private static func read(
        _ path: String,
        _ file: CInt,
        atMost most: Int
    ) throws(JobFileError) -> [UInt8] {
        var piece = [UInt8](repeating: 0, count: most)
        let count = Glibc.read(file, &piece, most)
        guard count >= 0 else {
            let reason = String(cString: strerror(errno))
            throw JobFileError(summary: "\(path) cannot be read: \(reason).", hint: nil)
        }
        piece.removeLast(most - count)
        return piece
    }
}

/// A job file that cannot be used.
struct JobFileError: Explained, Equatable {
    let summary: String
    let hint: String?
}
