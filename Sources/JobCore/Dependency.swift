/// A job that another one comes after, as whoever submits the other names it.
public struct Predecessor: Equatable, Sendable {
    public enum Reference: Hashable, Sendable {
        /// One that is there already.
        case job(JobID)
        /// One of the same submission, by its name.
        case sibling(String)
    }

    public var reference: Reference
    /// Where a sibling stands in the submission, from 0; nil until all of it was read.
    public var place: Int?
    /// Whether the work of the job that comes after takes its result.
    public var givesResult = false

    public init(_ reference: Reference, place: Int? = nil, givesResult: Bool = false) {
        self.reference = reference
        self.place = place
        self.givesResult = givesResult
    }

    /// By which the work calls it; nil when it calls it by its id.
    public var name: String? {
        if case .sibling(let name) = reference { name } else { nil }
    }
}

/// What a job does when one that it comes after fails or is cancelled.
public enum OnFailure: String, CaseIterable, Sendable {
    /// It fails, too.
    case fail
    /// It runs all the same, once all have ended.
    case run

    /// What the end of one of them is for the job.
    public func event(atEnd state: JobState, submittedAt: Timestamp) -> JobEvent {
        stops(for: state) ? .predecessorFailed : .predecessorEnded(submittedAt: submittedAt)
    }

    /// Whether the job cannot run after one that stands so.
    public func stops(for state: JobState) -> Bool {
        switch state {
        case .failed, .cancelled: self == .fail
        case .queued, .running, .succeeded: false
        }
    }
}

/// A job whose result another one takes when it runs, and the name by which its work calls it; nil
/// when that is the id.
public struct Source: Equatable, Sendable {
    public var job: JobID
    public var name: String?

    public init(_ job: JobID, name: String? = nil) {
        self.job = job
        self.name = name
    }
}
