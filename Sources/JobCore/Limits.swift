/// Every bound of the program, with its default. What lies beyond one is refused with an error
/// code, never cut in silence.
public struct Limits: Equatable, Sendable {
    /// All frames of one message together, in bytes.
    public var messageBytes = 16 << 20
    /// Frames of one message, its address included.
    public var messageFrames = 16
    /// One job as sent, without its binary frames, in bytes.
    public var specBytes = 1 << 20
    /// Jobs in one submission.
    public var submissionJobs = 10_000
    /// Jobs that were taken in and are not written yet, in bytes: one submission is always taken.
    public var unwrittenBytes = 128 << 20
    /// Ids in one request.
    public var requestIDs = 10_000
    /// Jobs that have not ended, in all queues; and as many parts of divided jobs beside them.
    public var waitingJobs: Int64 = 10_000_000
    /// Names of queues that have jobs or are paused. A look for work asks for each of them.
    public var queues = 1_000
    /// Rows of `each` of one job.
    public var eachRows = 1_000_000
    /// A CSV whose rows are those of `each`, in bytes; those of the jobs of one file together.
    public var eachBytes = 16 << 20
    /// One result, in bytes.
    public var resultBytes = 64 << 20
    /// Rows of one SQL result.
    public var resultRows = 1_000_000
    /// One value or row that a SQL job meets, in bytes. A single step of SQLite, which nothing can
    /// interrupt, may take time in proportion to it.
    public var valueBytes = 4 << 20
    /// By how much one job may make a database grow, in bytes.
    public var growthBytes: Int64 = 1 << 30
    /// Bytes of a result in one reply.
    public var replyBytes = 16 << 20
    /// `timeout_ms` of a job that names none: one hour.
    public var timeoutMs: Int64 = 3_600_000
    /// Parked waits of all clients together.
    public var waits = 10_000
    /// Parked waits of one client: all connections that show one key, or one connection without.
    public var waitsPerClient = 1_000
    /// Jobs that the parked waits of one client are for.
    public var awaitedJobsPerClient = 100_000
    /// Requests of one client that are not answered yet, parked waits among them.
    public var requestsPerClient = 100_000
    /// Direct calls of all clients together that wait for their jobs. They need not end soon, so
    /// they are no parked waits.
    public var calls = 200_000
    /// Jobs that one client may submit in a second, on average; 0 is no limit. A larger batch is
    /// taken whole, and the client waits afterwards.
    public var jobsPerSecondPerClient: Int64 = 0
    /// Results that one job takes from those it comes after, all together, in bytes.
    public var inputBytes = 16 << 20
    /// Jobs in one page of a list.
    public var listJobs = 1_000
    /// The store's write-ahead log, in bytes: 4 GiB. What is beyond takes no new jobs.
    public var logBytes: Int64 = 4 << 30

    // Bounds of the design, not settable: the protocol and the schema name them too.

    /// Length of a name, a key, a queue or a tag, in bytes of UTF-8.
    public static let nameBytes = 200
    public static let tags = 16
    /// Columns of a CSV: as many parameters as a statement of SQLite may have
    /// (SQLITE_MAX_VARIABLE_NUMBER).
    public static let columns = 32_766
    /// Words of a command, its program included.
    public static let commandWords = 1...1_000
    /// One of them, or a variable of its environment, in bytes: what Linux takes (MAX_ARG_STRLEN),
    /// less the zero that ends it.
    public static let wordBytes = 131_071
    /// Variables that a job may give its command.
    public static let variables = 1_000
    /// What is kept of a command's standard error: its end, in bytes.
    public static let stderrBytes = 4_096
    public static let attempts = 1...100
    public static let priorities = -100...100
    public static let parts = 1...1_024
    /// Jobs that one job comes after.
    public static let dependencies = 1_000
    /// The same of all jobs of one submission together: their links are written in one commit.
    public static let dependenciesTogether = 100_000
    /// Steps of a path into a result: as deep as JSON may be.
    public static let pathSteps = 64
    public static let workers = 1...256
    /// One millisecond to seven days.
    public static let timeouts: ClosedRange<Int64> = 1...604_800_000
    /// Up to a year.
    public static let delays: ClosedRange<Int64> = 0...31_622_400_000
    /// Up to a week between two attempts.
    public static let pauses: ClosedRange<Int64> = 0...604_800_000
    /// Longest `wait_ms`: a minute.
    public static let waitMs: Int64 = 60_000
    /// External workers that are attached at a time, and kernels that are left to them.
    public static let externalWorkers = 1_000
    public static let externalKernels = 100
    /// Events on their way to the thread that publishes them. Beyond that they are dropped.
    public static let announcements = 65_536
    /// Events that wait for one subscriber: some 5 MB. Beyond that it misses some.
    public static let eventsPerSubscriber = 10_000
    /// Length of the topic that somebody subscribes to, in bytes.
    public static let topicBytes = 1_024

    public init() {}
}
