public import JobCore

/// The first frame after the delimiter: Majordomo's worker protocol, version 0.1.
///
/// Source: ZeroMQ RFC 7/MDP.
let workerProtocol = Array("MDPW01".utf8)

/// The second frame: what the message is.
enum ExternalCommand: UInt8 {
    case ready = 1
    case request = 2
    case reply = 3
    case heartbeat = 4
    case disconnect = 5
    /// Ours: Majordomo has no word for a run that failed. No worker need know it.
    case failure = 6
}

/// A message of an external worker, taken apart but not read. Cheap to make, and free to be handed
/// to another thread for reading.
public struct ExternalEnvelope: Equatable, Sendable {
    public let peer: ClientID
    public let byteCount: Int
    fileprivate let frames: [[UInt8]]

    /// The frames as a ROUTER gives them: the routing id, an empty delimiter, the protocol, the
    /// command, and what belongs to it.
    ///
    /// - Returns: Nil when it is not known who sent them.
    public init?(_ frames: [[UInt8]]) {
        guard let peer = frames.first, !peer.isEmpty else { return nil }
        self.peer = ClientID(rawValue: peer)
        self.frames = frames
        byteCount = frames.reduce(0) { $0 + $1.count }
    }

    /// True when reading it may take longer than about a quarter of a millisecond, so that a thread
    /// with nothing urgent to do should read it.
    public var isLarge: Bool { byteCount > 32 << 10 }

    /// What the worker says. Frames that it has no use for make a message unreadable: who sends
    /// them means something else.
    public func word() -> ExternalWord {
        guard frames.count >= 4, frames[1].isEmpty, frames[2] == workerProtocol,
            frames[3].count == 1, let command = ExternalCommand(rawValue: frames[3][0])
        else { return .unreadable }
        let rest = Array(frames[4...])
        switch command {
        case .ready: return ready(rest)
        case .reply: return reply(rest)
        case .failure: return failure(rest)
        case .heartbeat: return rest.isEmpty ? .heartbeat : .unreadable
        case .disconnect: return rest.isEmpty ? .disconnect : .unreadable
        case .request: return .unreadable
        }
    }

    private func ready(_ rest: [[UInt8]]) -> ExternalWord {
        guard rest.count == 1, KernelName.bytes.contains(rest[0].count),
            let kernel = String(validating: rest[0], as: UTF8.self), KernelName.isFit(kernel)
        else { return .unreadable }
        return .ready(kernel: kernel)
    }

    /// The address, an empty frame, and the result: one frame, or several whose boundaries are
    /// kept.
    private func reply(_ rest: [[UInt8]]) -> ExternalWord {
        guard let (address, body) = addressed(rest) else { return .unreadable }
        guard body.count < 2 else {
            return .reply(address, Outcome(format: .frames, bytes: FrameList.joined(body)))
        }
        let bytes = body.first ?? []
        return .reply(address, Outcome(format: isJSON(bytes) ? .json : .bytes, bytes: bytes))
    }

    /// The address, an empty frame, a sentence, and perhaps the word `permanent`.
    private func failure(_ rest: [[UInt8]]) -> ExternalWord {
        guard let (address, body) = addressed(rest), (1...2).contains(body.count) else {
            return .unreadable
        }
        let isPermanent = body.count == 2
        guard !isPermanent || body[1] == Array("permanent".utf8) else { return .unreadable }
        // Each of the characters that are kept has four bytes at most.
        let sentence = body[0].prefix(4 * Failure.sentenceLength + 4)
        let failure = Failure(
            .kernelError,
            String(decoding: sentence, as: UTF8.self),
            isPermanent: isPermanent
        )
        return .failure(address, failure.shortened)
    }

    private func addressed(_ rest: [[UInt8]]) -> (OrderAddress, body: [[UInt8]])? {
        guard rest.count >= 2, rest[1].isEmpty, let address = OrderAddress(rest[0]) else {
            return nil
        }
        return (address, Array(rest[2...]))
    }
}

private func isJSON(_ bytes: [UInt8]) -> Bool {
    do {
        var scanner = try JSONScanner(bytes)
        _ = try scanner.skipValue()
        try scanner.finish()
        return true
    } catch {
        return false
    }
}

extension OrderAddress {
    /// `12:1:0123456789abcdef`: job, attempt, and 16 hexadecimal digits. Read as it was written,
    /// and no other way.
    init?(_ frame: [UInt8]) {
        guard frame.count <= 64, let text = String(validating: frame, as: UTF8.self) else {
            return nil
        }
        let words = text.split(separator: ":", omittingEmptySubsequences: false)
        guard words.count == 3, let job = Int64(words[0]), let attempt = Int(words[1]),
            attempt > 0, let token = UInt64(words[2], radix: 16)
        else { return nil }
        self.init(job: JobID(rawValue: job), attempt: Attempt(rawValue: attempt), token: token)
        guard self.frame == frame else { return nil }
    }

    var frame: [UInt8] {
        let digits = String(token, radix: 16)
        let padding = String(repeating: "0", count: 16 - digits.count)
        return Array("\(job.rawValue):\(attempt.rawValue):\(padding)\(digits)".utf8)
    }
}

extension ExternalEnvelope {
    /// What a message says that was cut off after so many bytes: a result that is too large.
    public func wordTooLarge(most bytes: Int) -> ExternalWord {
        guard frames.count >= 5, frames[1].isEmpty, frames[2] == workerProtocol,
            frames[3] == [ExternalCommand.reply.rawValue], let address = OrderAddress(frames[4])
        else { return .unreadable }
        return .failure(address, .resultTooLarge(mostBytes: bytes))
    }
}
