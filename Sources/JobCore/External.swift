/// One order to an external worker, for good: whoever answers under another address than the one
/// under way answers too late, or to somebody else.
public struct OrderAddress: Hashable, Sendable {
    public var job: JobID
    public var attempt: Attempt
    /// Drawn for this order: the same attempt may be ordered again, after a start.
    public var token: UInt64

    public init(job: JobID, attempt: Attempt, token: UInt64) {
        self.job = job
        self.attempt = attempt
        self.token = token
    }
}

/// What an external worker says: a program, in any language, that runs jobs of one kernel at the
/// other end of a connection.
public enum ExternalWord: Equatable, Sendable {
    /// It is there, and runs jobs of this kernel.
    case ready(kernel: String)
    /// The run has succeeded.
    case reply(OrderAddress, Outcome)
    /// The run has failed, by the worker's own word.
    case failure(OrderAddress, Failure)
    case heartbeat
    /// It goes.
    case disconnect
    /// Nothing that a worker may say.
    case unreadable
}

/// What an external worker is told.
public struct ExternalMessage: Equatable, Sendable {
    public enum Word: Equatable, Sendable {
        /// Run this. The body is that of the job's spec.
        case request(OrderAddress, body: [UInt8], frames: [Spec.Frame])
        case heartbeat
        /// It is not known here any more: it has to say again that it is ready.
        case disconnect
    }

    public var to: ClientID
    public var word: Word
    /// The jobs whose results the work of an order takes: they have to be put in first.
    public var sources: [Source]

    public init(to: ClientID, _ word: Word, sources: [Source] = []) {
        self.to = to
        self.word = word
        self.sources = sources
    }

    /// Of an order.
    public var address: OrderAddress? {
        if case .request(let address, _, _) = word { address } else { nil }
    }
}

/// The names that kernels may have.
public enum KernelName {
    public static let bytes = 1...64

    /// 1 to 64 of the characters a to z, 0 to 9, _ and -.
    public static func isFit(_ name: String) -> Bool {
        bytes.contains(name.utf8.count) && name.utf8.allSatisfy(isNameByte)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
