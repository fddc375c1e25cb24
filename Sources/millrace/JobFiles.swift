internal import Glibc
internal import JobCore
internal import JobRunner
internal import JobWire

/// Where `submit FILE` and `check FILE` get jobs from: the parser of the spool directory.
enum JobFiles {
    /// The jobs of one file, as objects in the protocol's words. Whether their kernels and
    /// databases exist is for the runner to say.
    static func jobs(inFile path: String) throws -> [JSON] {
        var limits = Limits()
        limits.submissionJobs = .max  // How many there may be is for the runner to say, too.
        let found = try submissions(inFile: path, limits) { bytes throws(Refusal) in
            // Only carried along: the runner reads it.
            Submission(spec: Spec(kind: .sql, body: bytes, timeoutMs: 1), fingerprint: 0)
        }
        return try found.map { try JSON(parsing: $0.spec.body) }
    }

    /// Reads the file as a runner with this catalog would.
    ///
    /// - Returns: How many jobs it holds.
    static func check(file path: String, by catalog: Catalog, _ limits: Limits) throws -> Int {
        let reader = JobReader(catalog)
        return try submissions(inFile: path, limits) { bytes throws(Refusal) in
            try reader.job(bytes)
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
        let bytes = try read(path)
        do throws(JobFileProblem) {
            return try format.submissions(in: bytes, limits: limits, parse: parse)
        } catch {
            throw JobFileError(summary: "\(path): \(error.summary)", hint: error.hint)
        }
    }

    /// At most one byte more than any format allows is read, so that too much is noticed.
    private static func read(_ path: String) throws(JobFileError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            let reason = String(cString: strerror(errno))
            throw JobFileError(summary: "\(path) cannot be opened: \(reason).", hint: nil)
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= JobFile.bytesMax {
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
