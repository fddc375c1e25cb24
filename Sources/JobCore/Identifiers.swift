/// Identifies one job for its whole life: through retries, restarts and retention.
///
/// Ids come from a durably reserved range and ascend with each submission; none is ever used twice.
public struct JobID: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: Int64

    public init(rawValue: Int64) { self.rawValue = rawValue }

    public static func < (a: JobID, b: JobID) -> Bool { a.rawValue < b.rawValue }
}

/// Counts the runs of one job, from 1. Zero means "never started".
///
/// Attempts are the fencing token of the whole system: a worker's report is believed only when it
/// names the attempt that the store knows as the current one, or the one that comes next.
public struct Attempt: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: Int

    public static let none = Attempt(rawValue: 0)

    public init(rawValue: Int) {
        precondition(rawValue >= 0, "attempts count from zero")
        self.rawValue = rawValue
    }

    public var next: Attempt { Attempt(rawValue: rawValue + 1) }

    public static func < (a: Attempt, b: Attempt) -> Bool { a.rawValue < b.rawValue }
}

/// Counts the starts of the runner on one store, from 1: a row of the table `runs`.
public struct RunID: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: Int64

    public init(rawValue: Int64) { self.rawValue = rawValue }

    public static func < (a: RunID, b: RunID) -> Bool { a.rawValue < b.rawValue }
}

/// One life of one store, by a random word: the author of the receipts that its jobs leave in
/// databases.
///
/// A store that begins from a backup gets a new one.
public struct StoreID: RawRepresentable, Hashable, Sendable {
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }
}

/// One worker thread of this run. A replacement gets a number of its own, so that what a thread
/// says after it was given up is never taken for its successor's word.
public struct WorkerID: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: Int

    public init(rawValue: Int) { self.rawValue = rawValue }

    public static func < (a: WorkerID, b: WorkerID) -> Bool { a.rawValue < b.rawValue }
}

/// By what the client of `titanic.request` knows its job: who does not have the token has no id
/// that `titanic.reply` and `titanic.close` know.
public struct TitanicID: Hashable, Sendable {
    public var job: JobID
    /// Random: drawn when the request was heard, and kept with the job.
    public var token: Int64

    public init(job: JobID, token: Int64) {
        self.job = job
        self.token = token
    }
}

/// Stands for the kernel and the frames of a direct call, as long as this process lives. Calls of
/// other frames have another one, with all but certainty.
public struct CallDigest: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// The address under which the router knows a client. Opaque, and gone when the client is.
public struct ClientID: RawRepresentable, Hashable, Sendable {
    public let rawValue: [UInt8]

    public init(rawValue: [UInt8]) { self.rawValue = rawValue }
}
