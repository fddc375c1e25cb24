internal import JobCore
internal import JobWire
internal import ZeroMQ

/// Where external workers come in. Without endpoints nobody does, and there are no sockets: each is
/// a descriptor.
struct ExternalDoor: ~Copyable {
    /// Messages in one round, and bytes after which it ends.
    static let messagesARound = 64
    static let bytesARound = 256 << 10
    /// Bytes of large messages that wait for being read. While there are so many nobody is heard:
    /// the parser is at work on them.
    private static let unreadBytes = 64 << 20

    /// Belong to the broker's thread, as every socket does to one.
    final class Sockets {
        let door: Socket
        let arrivals: Socket

        init(_ door: consuming Socket, arrivals: consuming Socket) {
            self.door = door
            self.arrivals = arrivals
        }
    }

    let sockets: Sockets?
    let endpoints: [String]
    private let limits: MessageLimits
    /// Messages that the parser has, by their senders. What those say next goes the same way, for a
    /// worker may go once it has replied.
    private var unread: [ClientID: Int] = [:]
    private var unreadBytes = 0

    init(_ sockets: Sockets?, endpoints: [String], _ limits: MessageLimits) {
        self.sockets = sockets
        self.endpoints = endpoints
        self.limits = limits
    }

    /// What was heard.
    enum Heard {
        case nothing
        case word(ExternalWord, from: ClientID)
        /// To be read by a thread with nothing urgent to do.
        case large(ExternalEnvelope)
        /// Of somebody who may not be here, or that nobody can answer.
        case dropped
    }

    mutating func hear(_ peers: Peers, _ bytes: inout Int) throws(ZeroMQError) -> Heard {
        guard let sockets, unreadBytes < Self.unreadBytes else { return .nothing }
        let frames: [[UInt8]]
        var isWhole = true
        switch try sockets.door.receive(limits: limits, waiting: false) {
        case .nothing: return .nothing
        case .message(let whole): frames = whole
        case .tooLarge(let part): (frames, isWhole) = (part, false)
        }
        guard let envelope = ExternalEnvelope(frames) else { return .dropped }
        guard mayRunJobs(peers.peer(named: sockets.door.sender)) else {
            _ = try tell(ExternalMessage(to: envelope.peer, .disconnect))
            return .dropped
        }
        let peer = envelope.peer
        guard isWhole else { return .word(envelope.wordTooLarge(most: limits.bytes), from: peer) }
        if !envelope.isLarge {
            bytes += envelope.byteCount
            if unread[peer] == nil { return .word(envelope.word(), from: peer) }
        }
        unread[peer, default: 0] += 1
        unreadBytes += envelope.byteCount
        return .large(envelope)
    }

    /// Without keys everybody is local, and may.
    private func mayRunJobs(_ peer: Peer?) -> Bool {
        guard let peer else { return false }
        return peer == .local || peer.role.mayRunJobs
    }

    mutating func wasRead(_ envelope: ExternalEnvelope) {
        unreadBytes -= envelope.byteCount
        let rest = unread[envelope.peer, default: 0] - 1
        unread[envelope.peer] = rest > 0 ? rest : nil
    }

    /// - Returns: False when it was an order and did not go out, or when nobody is there any more.
    func tell(_ message: ExternalMessage) throws(ZeroMQError) -> Bool {
        guard let frames = try? frames(for: message) else { return true }
        return try tell(frames, message)
    }

    /// The same, with the frames written by another thread.
    func tell(_ frames: [[UInt8]], _ message: ExternalMessage) throws(ZeroMQError) -> Bool {
        guard let sockets else { return false }
        return switch try sockets.door.send(frames, waiting: false) {
        case .sent: true
        // Who is busy need not read.
        case .full: message.address == nil
        // What it has said before it went comes first.
        case .unreachable: message.address == nil && unread[message.to] != nil
        }
    }
}
