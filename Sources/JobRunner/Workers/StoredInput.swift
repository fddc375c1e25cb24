internal import JobCore
internal import JobStorage
internal import JobWire

/// One worker's view of the store: what its jobs need that waits there and not with them, which are
/// large binary frames and the results that they take from the jobs before them.
///
/// It is read when the job runs, so that no more of it is in memory than there are workers. The
/// store is opened when the first job needs something of it, and kept.
final class StoredInput {
    private let path: String
    private let limits: Limits
    private var reader: StoreReader?

    init(path: String, _ limits: Limits) {
        self.path = path
        self.limits = limits
    }

    /// The order with all that its run needs, unless that is called off meanwhile. One that only
    /// looks for what was done needs nothing.
    ///
    /// - Throws: `no_input` when a result that is taken is not there or too large, `damaged` when
    ///   something is not as it was written, or cannot be read.
    func fill(_ order: Order, _ run: KernelRun) throws(Failure) -> Order {
        guard order.phase.runs else { return order }
        var order = order
        if order.framesAreStored {
            order.frames = try frames(of: order.job)
            order.framesAreStored = false
        }
        guard !order.sources.isEmpty else { return order }
        var results: [GivenResult] = []
        var room = limits.inputBytes
        for source in order.sources {
            let result = try result(of: source)
            room -= result.bytes.count
            guard room >= 0 else { throw .tooMuchInput(limit: limits.inputBytes) }
            results.append(result)
        }
        return try order.filled(with: results, atMost: limits.inputBytes) { run.isCancelled }
    }

    private func frames(of job: JobID) throws(Failure) -> [Spec.Frame] {
        do throws(StoreError) {
            if let frames = try open().frames(of: job) { return frames }
        } catch {
            if case .corrupt = error { throw .damaged }
            // It may pass: another attempt is made.
            throw Failure(.damaged, close(after: error), hint: error.hint)
        }
        throw .damaged  // Nothing is kept of it any more.
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
            // It may be readable later.
            throw Failure(.noInput, "The result of job \(job.rawValue): \(close(after: error))")
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

    /// The store is opened anew next time.
    ///
    /// - Returns: What the error says.
    private func close(after error: StoreError) -> String {
        reader = nil
        return error.summary
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
