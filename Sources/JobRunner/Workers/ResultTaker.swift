internal import JobCore
internal import JobStorage
internal import JobWire

/// One worker's view of the store: the results that its jobs take from those before them.
///
/// They are read when the job runs, so that no more of them are in memory than there are workers.
/// The store is opened when the first job takes one, and kept.
final class ResultTaker {
    private let path: String
    private let limits: Limits
    private var reader: StoreReader?

    init(path: String, _ limits: Limits) {
        self.path = path
        self.limits = limits
    }

    /// The order with all results put in that its work takes. One that only looks for what was done
    /// takes none.
    ///
    /// - Throws: `no_input` when something that is taken is not there or too large, `damaged` when
    ///   it is not as it was written.
    func fill(_ order: Order) throws(Failure) -> Order {
        guard !order.sources.isEmpty, order.phase != .look, order.phase != .bury else {
            return order
        }
        var results: [GivenResult] = []
        var room = limits.inputBytes
        for source in order.sources {
            let result = try result(of: source)
            room -= result.bytes.count
            guard room >= 0 else { throw .tooMuchInput(limit: limits.inputBytes) }
            results.append(result)
        }
        return try order.filled(with: results, atMost: limits.inputBytes)
    }

    private func result(of source: Source) throws(Failure) -> GivenResult {
        let job = source.job
        guard let found = try read(job) else {
            throw .noInput("The result of job \(job.rawValue) is no longer kept.")
        }
        guard let head = found.head else {
            throw .noInput("Job \(job.rawValue) is \(found.end.state.rawValue) and has no result.")
        }
        guard Int64(found.bytes.count) == head.totalBytes else {
            throw .tooMuchInput(limit: limits.inputBytes)
        }
        return GivenResult(source, format: head.format, bytes: found.bytes)
    }

    /// As much of it as may be taken at all; nil when the job is no longer kept.
    private func read(_ job: JobID) throws(Failure) -> JobResult? {
        do throws(StoreError) {
            guard case .result(let found, _) = try open().answer(.result(job, .whole)) else {
                return nil
            }
            return found
        } catch {
            if case .corrupt = error { throw .damagedResult.of(job) }
            reader = nil
            // It may be readable later.
            throw Failure(.noInput, "The result of job \(job.rawValue): \(error.summary)")
        }
    }

    private func open() throws(StoreError) -> StoreReader {
        if let reader { return reader }
        var limits = limits
        limits.replyBytes = limits.inputBytes
        let opened = try StoreReader(path: path, limits: limits)
        reader = opened
        return opened
    }
}

extension Failure {
    /// The same, said of another job whose result is taken.
    fileprivate func of(_ job: JobID) -> Failure {
        var failure = self
        failure.message = "Job \(job.rawValue): \(message)"
        return failure
    }
}
