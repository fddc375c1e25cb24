/// What the dispatcher wants done after a round. The threads at the edge carry it out, in the order
/// of the fields, and decide nothing.
public struct Decisions: Equatable, Sendable {
    /// For the writer. What of them comes back as facts may be spoken of, nothing else.
    public var changes: [Change] = []
    /// For the reader; each answer comes back with its ticket.
    public var queries: [Asked] = []
    /// For clients.
    public var messages: [Message] = []
    /// For workers. Those of one worker stand together.
    public var orders: [Given] = []
    /// For external workers.
    public var externals: [ExternalMessage] = []
    public var signals: [Signal] = []
    /// For the spool.
    public var notices: [FileNotice] = []
    /// For whoever listens; none while nobody does.
    public var announcements: [Announcement] = []

    public init() {}

    public struct Asked: Equatable, Sendable {
        public var ticket: Ticket
        public var query: Query
        /// Who wants to know; nil is the dispatcher itself. The order among those of one account
        /// stays, that of others with it does not matter.
        public var account: Account?

        public init(ticket: Ticket, query: Query, account: Account? = nil) {
            self.ticket = ticket
            self.query = query
            self.account = account
        }
    }

    public struct Given: Equatable, Sendable {
        public var worker: WorkerID
        public var order: Order

        public init(worker: WorkerID, order: Order) {
            self.worker = worker
            self.order = order
        }
    }
}

/// What passes a worker by the side of its orders.
public enum Signal: Equatable, Sendable {
    /// Start a thread under this id; it says `ready` when it is there.
    case start(WorkerID)
    /// Take back the orders up to this one that the worker has not begun; the answer is the event
    /// `recalled`.
    case recall(WorkerID, upTo: UInt64)
    /// The order with this sequence number, which is for this attempt.
    case breakOff(WorkerID, order: UInt64, JobID, Attempt, BreakOffReason)
    /// Do not wait for this thread any more. What it still says is not believed.
    case abandon(WorkerID)
    /// All is written: the runner may end, for good or to be started again.
    case exit(startAgain: Bool)
}

public enum BreakOffReason: Equatable, Sendable {
    /// A client called the job off.
    case cancelled
    /// The runner stops; the job is put back.
    case stopping
}

/// What the spool is told about a file.
public enum FileNotice: Equatable, Sendable {
    case accepted(takenAs: String, FileID, [JobID])
    case refused(takenAs: String, Refusal)
    /// The ids of a piece of a file; `isAll` with the last piece.
    case staged(takenAs: String, [JobID], isAll: Bool)
    /// All jobs of the file have ended.
    case ended(FileID)
}
