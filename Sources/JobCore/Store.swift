/// The durable record of all jobs, as the rest of the program sees it.
///
/// Whoever conforms passes the store's conformance suite: the SQLite store and the model that tests
/// use. One thread owns a store.
public protocol Store {
    associatedtype Problem: Error

    /// Writes all changes and syncs them, or none, and tells what became of each. A change that
    /// does not fit is an answer (`refused`, `cameLate`, `unfit`), not an error.
    ///
    /// - Throws: What makes the disk unfit to write: nothing of the changes was written.
    mutating func commit(_ changes: [Change], at now: Timestamp) throws(Problem) -> [Fact]

    /// Answers from what is committed.
    func answer(_ query: Query) throws(Problem) -> Answer
}

/// What a start found and did: recovery is the normal start.
public struct Recovery: Equatable, Sendable {
    public var run: RunID
    /// Jobs whose run did not come back, and what became of them.
    public var lost: [JobID]
    public var poisoned: [JobID]
    /// Ids from the first to the last of these are free for new jobs.
    public var reserved: ClosedRange<Int64>
    public var store: StoreID
    /// Jobs that were called off while a run of theirs wrote, each with that attempt as its next:
    /// they still count as running, until a look into their database tells how they ended.
    public var calledOff: [Waiting]
    /// The newest moment that earlier runs have written down, nearly; nil when there were none.
    public var newestTime: Timestamp?
    /// Fingerprints of jobs that were not written yet when a run of theirs may have ended the
    /// program. Like them none may run again before it is written.
    public var suspects: Set<UInt64> = []
    /// True when a run has crashed the program.
    public var hasCrashed = false
    /// Files that were written in pieces, and what is still to be done about them.
    public var stages = Stages()

    public struct Stages: Equatable, Sendable {
        /// Not all of their jobs are ready.
        public var releasing: [FileID] = []
        /// Not all of their jobs are removed; by their names in `taken/`.
        public var removing: [String] = []
        /// Nobody knows how far they are, and nothing is done about them.
        public var damaged: [FileID] = []

        public init() {}
    }

    public init(
        run: RunID,
        lost: [JobID],
        poisoned: [JobID],
        reserved: ClosedRange<Int64>,
        store: StoreID,
        calledOff: [Waiting] = []
    ) {
        self.run = run
        self.store = store
        self.calledOff = calledOff
        self.lost = lost
        self.poisoned = poisoned
        self.reserved = reserved
    }
}

/// A run that was under way when the runner ended, as the in-flight ledger shows it.
public struct InFlight: Equatable, Sendable {
    public var run: RunID
    public var job: JobID
    public var attempt: Attempt
    public var startedAt: Timestamp
    public var blame: Blame
    /// The fingerprint of a job that was not written when the run began.
    public var unwritten: UInt64?

    /// Whether this run is what ended the runner.
    public enum Blame: Sendable {
        case none
        /// It was young, and no thread is known to have crashed. To blame unless the runner was
        /// stopped.
        case suspected
        /// Its thread crashed.
        case crashed
    }

    public init(
        run: RunID,
        job: JobID,
        attempt: Attempt,
        startedAt: Timestamp,
        blame: Blame
    ) {
        self.run = run
        self.job = job
        self.attempt = attempt
        self.startedAt = startedAt
        self.blame = blame
    }
}
