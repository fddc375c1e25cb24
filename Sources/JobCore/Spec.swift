/// What a job shall do, and how. It never changes after it was accepted.
///
/// Only the worker looks into the work itself, `body`; everybody else needs no more than the fields
/// beside it.
public struct Spec: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        case sql, compute, command
    }

    public var kind: Kind
    /// The work as a JSON object: `sql`, `params`, `database`, `mode`, `format`, or `kernel`,
    /// `input`, `parts`, or `command`, `env`, `input`, checked and in the protocol's words.
    public var body: [UInt8]
    /// Binary input, referred to in `body` as `{"$frame": n}` with the number it had in the
    /// message.
    public var frames: [Frame] = []
    /// Bytes of frames that were left in the store, where the worker reads them that runs the job:
    /// then `frames` is empty.
    public var storedFrameBytes = 0
    public var queue = QueueName.standard
    /// Higher first, within a queue.
    public var priority = 0
    /// Bound of one attempt, in ms, counted from its start.
    public var timeoutMs: Int64
    public var retry = RetryPolicy.standard
    /// Into how many children the work is divided; 1 for a job that runs as it is.
    public var parts = 1
    /// The database that a run may change: one such run at a time.
    public var writes: String?
    /// The external kernel that it runs: only an external worker for it may have the job.
    public var skill: String?
    /// A random number of the job's own. Of a job that writes: drawn when it was accepted, so that
    /// its receipts are told from those of another job that had the same id. Of one that
    /// `titanic.request` makes, the only others that have one: its token.
    public var salt: Int64?
    /// The same for jobs of the same statement, kernel or program, by which their durations are
    /// guessed.
    public var sort: UInt64 = 0
    /// For people; not unique.
    public var name: String?
    public var tags: [String] = []
    /// How long the job is kept after its end, in ms; nil for the settings' retention.
    public var keepMs: Int64?

    public init(kind: Kind, body: [UInt8], timeoutMs: Int64) {
        self.kind = kind
        self.body = body
        self.timeoutMs = timeoutMs
    }

    /// Whether a run changes nothing, so that it does no harm should nobody ever hear of the job.
    /// Of what runs elsewhere nobody knows.
    public var isPure: Bool { writes == nil && kind != .command && skill == nil }

    /// The work, in bytes, as far as it is held in memory for this job alone.
    public var workBytes: Int { frames.reduce(body.count) { $0 + $1.weight } }

    /// Frames of a SQL job that have more bytes together are left in the store, once they are
    /// there: a CSV of many rows shall not wait in memory.
    public static let carriedFrameBytes = 64 << 10

    /// The same, with frames that are too large to be carried left in the store.
    public func leavingFrames() -> Spec {
        let bytes = frames.reduce(0) { $0 + $1.bytes.count }
        guard kind == .sql, bytes > Self.carriedFrameBytes else { return self }
        var spec = self
        spec.frames = []
        spec.storedFrameBytes = bytes
        return spec
    }

    /// The secret part of the job's `TitanicID`; nil unless `titanic.request` has made it.
    public var titanicToken: Int64? { writes == nil ? salt : nil }

    /// One binary frame and the number by which `body` refers to it.
    public struct Frame: Equatable, Sendable {
        public var number: Int
        public var bytes: [UInt8]
        /// Of a part: whether it is the frame of this number that its parent has. It is stored
        /// there alone, and parts hold the same bytes in memory.
        public var isShared: Bool

        public init(number: Int, bytes: [UInt8], isShared: Bool = false) {
            self.number = number
            self.bytes = bytes
            self.isShared = isShared
        }

        /// What it takes in memory, in bytes, roughly. Parts of one load hold the same bytes, those
        /// of two loads do not: an eighth for each lets many of them wait in memory, and bounds
        /// what they take if all of them came alone.
        public var weight: Int { isShared ? bytes.count / 8 : bytes.count }
    }
}

/// A named lane of jobs. Letters, digits, `.`, `_` and `-`, at most 200 bytes.
public struct QueueName: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: String

    public static let standard = QueueName(unchecked: "default")

    public init?(rawValue: String) {
        let bytes = rawValue.utf8
        guard (1...Limits.nameBytes).contains(bytes.count), bytes.allSatisfy(isNameByte) else {
            return nil
        }
        self.rawValue = rawValue
    }

    private init(unchecked rawValue: String) { self.rawValue = rawValue }

    public static func < (a: QueueName, b: QueueName) -> Bool { a.rawValue < b.rawValue }
}

private func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "-"):
        true
    default: false
    }
}

/// One job as a client asks for it: the spec, when it may start, and the key that makes sending it
/// twice harmless.
public struct Submission: Equatable, Sendable {
    public var spec: Spec
    public var start: Start = .now
    /// Unique among the jobs that are kept.
    public var key: String?
    /// The same for submissions that ask for the same, whatever the order of their fields.
    public var fingerprint: UInt64
    /// The jobs that must end before this one may start.
    public var after: [Predecessor] = []
    /// What it does when one of them does not succeed.
    public var onFailure = OnFailure.fail

    /// When a job may start.
    public enum Start: Equatable, Sendable {
        case now
        case at(Timestamp)
        case after(ms: Int64)
    }

    public init(spec: Spec, key: String? = nil, fingerprint: UInt64) {
        self.spec = spec
        self.key = key
        self.fingerprint = fingerprint
    }

    /// The moment from which a worker may take the job, when it is submitted `now`.
    public func readyAt(now: Timestamp) -> Timestamp {
        switch start {
        case .now: now
        case .at(let moment): max(moment, now)
        case .after(let ms): now.adding(ms: ms)
        }
    }
}
