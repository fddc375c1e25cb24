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
        return try submissions(inFile: path, limits) { (job, frames) throws(Refusal) in
            try reader.job(job, frames: frames)
        }.count
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
        let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
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
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            let reason = String(cString: strerror(errno))
            throw JobFileError(summary: "\(path) cannot be opened: \(reason).", hint: nil)
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= most {
            let count = Glibc.read(file, &piece, piece.count)
            guard count >= 0 else {
                let reason = String(cString: strerror(errno))
                throw JobFileError(summary: "\(path) cannot be read: \(reason).", hint: nil)
            }
            if count == 0 { break }
            bytes += piece[..<count]
        }
        return bytes
    }
}

/// A job file that cannot be used.
struct JobFileError: Explained, Equatable {
    let summary: String
    let hint: String?
}
