public import JobCore

/// Reads jobs from JSON, wherever they come from: a message, a file of the spool, a command line.
///
/// Whatever it returns may be acted on: every field is known, of its type and within its bounds,
/// and every kernel and database exists. It may be used on any thread.
public struct JobReader: Sendable {
    private let catalog: Catalog

    public init(_ catalog: Catalog) {
        self.catalog = catalog
    }

    /// Reads one job object, and nothing else, from `range` of `bytes` or from all of them.
    ///
    /// Names in `after` are not looked up: that is done by `linked`, once all jobs are read that
    /// were sent together. The first of the binary `frames` has the number 2. `path` is where the
    /// job stands, for the names of fields in refusals: `jobs[3]`.
    public func job(
        _ bytes: [UInt8],
        in range: Range<Int>? = nil,
        frames: [[UInt8]] = [],
        at path: String = ""
    ) throws(Refusal) -> Submission {
        do {
            var scan = try SubmissionScan(bytes, in: range, frames: frames, catalog: catalog)
            let job = try scan.job()
            try scan.finish()
            return job
        } catch {
            throw error.inside(path)
        }
    }

    /// Reads one job that is there as a value already, whose reals must be finite.
    public func job(_ value: JSON, at path: String = "") throws(Refusal) -> Submission {
        try job(value.encoded(), at: path)
    }

    /// Reads `{"jobs": […]}`. Members beside `jobs` are ignored, but for fields of a job.
    public func jobs(
        _ bytes: [UInt8],
        in range: Range<Int>? = nil,
        frames: [[UInt8]] = []
    ) throws(Refusal) -> [Submission] {
        var scan = try SubmissionScan(bytes, in: range, frames: frames, catalog: catalog)
        let found = try scan.submission()
        guard found.isBatch else { throw .missing("jobs") }
        return found.jobs
    }

    /// Reads the body of `job.submit`: one job, or `{"jobs": […]}`.
    func submission(
        _ bytes: [UInt8],
        frames: [[UInt8]]
    ) throws(Refusal) -> SubmissionScan.Found {
        var scan = try SubmissionScan(bytes, in: nil, frames: frames, catalog: catalog)
        return try scan.submission()
    }
}
