/// What a client may ask: one case per service of the protocol. `Reply` is its mirror.
///
/// Made only by parsing, so that every value is one that may be acted on.
public enum Request: Equatable, Sendable {
    /// `isBatch` tells whether the client sent a list, and so is answered with one.
    case submit([Submission], isBatch: Bool, waitMs: Int64?)
    case show([JobID], isBatch: Bool)
    case result(JobID, range: ByteRange, waitMs: Int64?)
    case wait([JobID], waitMs: Int64)
    case list(JobFilter, after: JobID?, limit: Int)
    case cancel(Selection)
    case retry(Selection)
    case delete(Selection)
    /// One queue, or all of them.
    case listQueues(QueueName?)
    case pauseQueue(QueueName?)
    case resumeQueue(QueueName?)
    case ping
    case about
    case statistics
    case drain
    /// `mmi.service`: is there a service of this name?
    case isServed(Bool)
    /// The same, of an external kernel: is there a worker for it?
    case isAttached(kernel: String)
    /// A direct call of a kernel: a job whose result is the whole answer.
    case call(Submission, CallDigest)
    /// A job that is answered with an id for `titanic.reply` and `titanic.close`; its spec has the
    /// token.
    case titanicRequest(Submission)
    case titanicReply(TitanicID)
    /// Nil for what cannot be an id: nobody has it.
    case titanicClose(TitanicID?)
}

/// Which part of a result is asked for, in bytes.
public struct ByteRange: Equatable, Sendable {
    public var offset: Int64
    /// Nil for all that follows.
    public var limit: Int64?

    public static let whole = ByteRange(offset: 0, limit: nil)

    public init(offset: Int64, limit: Int64?) {
        self.offset = offset
        self.limit = limit
    }
}

/// Which jobs are meant, by what they have in common. Nil fields do not choose; children of a
/// divided job are never meant.
public struct JobFilter: Equatable, Sendable {
    public var state: JobState?
    public var queue: QueueName?
    public var kind: Spec.Kind?
    /// Set for those who may change their own jobs alone; no client names it.
    public var owner: Owner?

    public init(
        state: JobState? = nil,
        queue: QueueName? = nil,
        kind: Spec.Kind? = nil,
        owner: Owner? = nil
    ) {
        self.state = state
        self.queue = queue
        self.kind = kind
        self.owner = owner
    }
}

/// Which jobs a request is about.
public enum Selection: Equatable, Sendable {
    case ids([JobID])
    case filter(JobFilter)
}

/// Who asked, and what an answer must carry so that the asker knows it again.
public struct Caller: Hashable, Sendable {
    public var client: ClientID
    /// The service, echoed byte for byte.
    public var service: [UInt8]
    /// The `request` field of the body, echoed as it was.
    public var request: String?
    public var peer: Peer

    public init(
        client: ClientID,
        service: [UInt8],
        request: String? = nil,
        peer: Peer = .local
    ) {
        self.client = client
        self.service = service
        self.request = request
        self.peer = peer
    }

    /// Whose share of the limits it uses.
    public var account: Account {
        peer.owner == .local ? .connection(client) : .owner(peer.owner)
    }
}
