/// Where a job is in its life.
///
/// ```
///            submit               order               succeeded
///  (client) ------> [queued] ------------> [running] ---------> [succeeded]
///                    ^   |                  |  |  |
///                    |   | cancel    cancel |  |  | failed, no attempts left · lost too often
///                    |   `--> [cancelled] <-'  |  `----------> [failed]
///                    `-------------------------'
///                      failed, attempts left · lost · put back by a stop · split into parts
/// ```
///
/// A job that waits for a retry, a start time, its parts or jobs that it comes after is `queued`
/// with a later `ready_at` or an open count of jobs to wait for: waiting is a date or a number, not
/// a state that somebody would have to end.
public enum JobState: String, CaseIterable, Sendable {
    /// Waits for a worker, a moment or other jobs. The dispatcher ends it with an order, a client
    /// by cancelling.
    case queued
    /// A worker has it. The worker's report ends it, or the loss of the worker.
    case running
    /// Has a result. Stays until retention or a client deletes it.
    case succeeded
    /// Has an error. Stays likewise; a client may have it run again.
    case failed
    /// Was called off. Stays likewise; a client may have it run again.
    case cancelled

    /// True when nothing will happen to the job any more, unless a client asks for it.
    public var isFinal: Bool {
        switch self {  // No default: whoever adds a state must decide here.
        case .queued, .running: false
        case .succeeded, .failed, .cancelled: true
        }
    }
}
