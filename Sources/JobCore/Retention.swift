/// How long jobs are kept that have ended, with their results, unless a job says otherwise.
public struct Retention: Equatable, Sendable {
    /// In ms: seven days.
    public var succeededMs: Int64 = 604_800_000
    /// Of failed and cancelled jobs, in ms: thirty days.
    public var failedMs: Int64 = 2_592_000_000

    /// A minute to a hundred years.
    public static let bounds: ClosedRange<Int64> = 60_000...3_155_760_000_000

    public init() {}

    /// Whether the time of a job is up.
    ///
    /// - Parameters:
    ///   - state: Of the job.
    ///   - finishedAt: When it ended.
    ///   - keepMs: What the job itself asks for, in ms; it wins.
    ///   - now: The moment in question.
    /// - Returns: False for a job that has not ended.
    public func isOver(
        _ state: JobState,
        finishedAt: Timestamp?,
        keepMs: Int64?,
        at now: Timestamp
    ) -> Bool {
        guard state.isFinal, let finishedAt else { return false }
        let kept = keepMs ?? (state == .succeeded ? succeededMs : failedMs)
        return finishedAt.adding(ms: max(kept, 0)) <= now
    }
}
