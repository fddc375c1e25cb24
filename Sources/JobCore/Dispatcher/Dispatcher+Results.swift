// What the dispatcher does with results that nobody wants to be kept.

extension Dispatcher {
    /// A job may say that its result is not to be kept, with `keep_ms` 0. When somebody waits for
    /// all of it then, its bytes never touch the disk: the end is written, and who waits is told
    /// the result from memory. One that nobody waits for, or that is read in pieces, is written as
    /// any other, and goes with its job.
    mutating func passOn(_ report: Report, of job: Waiting) -> Report {
        guard job.spec.keepMs == 0, case .succeeded(var outcome) = report.ending,
            outcome.bytes.count <= plan.limits.replyBytes, waits.wantAll(of: job.id)
        else { return report }
        outcome.isKept = false
        var report = report
        report.ending = .succeeded(outcome)
        passing.insert(job.id)
        return report
    }
}

extension Ended {
    /// What is known of the result without asking the store.
    func result(_ range: ByteRange) -> JobResult {
        guard let outcome else { return JobResult(end: end) }
        let bytes = range == .whole ? outcome.bytes : Array(outcome.bytes[range])
        var result = JobResult(end: end, head: outcome.head, bytes: bytes)
        result.offset = min(max(range.offset, 0), Int64(outcome.bytes.count))
        result.isKept = outcome.isKept
        return result
    }
}

extension [UInt8] {
    /// As much of the range as there is.
    fileprivate subscript(range: ByteRange) -> ArraySlice<UInt8> {
        let rest = dropFirst(Int(clamping: Swift.max(range.offset, 0)))
        return rest.prefix(Int(clamping: Swift.max(range.limit ?? .max, 0)))
    }
}

extension Refusal {
    static func resultNotKept(_ id: JobID) -> Refusal {
        Refusal(
            410,
            "expired",
            "The result of job \(id.rawValue) was not kept.",
            hint: "With keep_ms 0 only those have it who wait for it when the job ends."
        )
    }
}
