internal import JobCore
internal import ZeroMQ

/// Replies that clients have not taken yet: each client's own, bounded in bytes and time.
///
/// What libzmq has of a client's larger replies counts too, for its own bound is one of messages.
struct Outbox {
    /// Bytes kept for one client. Beyond that it is not heard, and told nothing that it can ask for
    /// again.
    static let clientBytes = 4 << 20
    /// Bytes beyond that for telling the client so; then its requests are dropped.
    static let refusalBytes = 256 << 10
    /// Bytes kept for one client of what it cannot ask for again, such as the ids of its new jobs:
    /// what it may have asked before it was full. Then replies are dropped.
    static let mostBytes = 32 << 20
    /// Bytes in larger frames that libzmq is given at once for one client: one of the largest
    /// replies.
    static let transitBytes = 16 << 20
    /// Bytes kept for all clients, and in transit. Beyond that nothing is told that can be asked
    /// for again.
    static let allBytes = 512 << 20
    private static let smallBytes = 64 << 10
    /// A client that takes nothing for this long loses what was kept for it, in ms.
    static let patienceMs: Int64 = 30_000

    fileprivate struct Backlog {
        var messages: [[[UInt8]]] = []
        /// The first that was not sent.
        var first = 0
        var bytes = 0
        var since: Timestamp
    }

    private var backlogs: [ClientID: Backlog] = [:]
    /// Bytes of all backlogs.
    private var kept = 0
    private var transits: [ClientID: Transit] = [:]
    private let inTransit = Transit()
    /// How many transits there may be before those that are over are looked for.
    private var manyTransits = 64

    var isEmpty: Bool { backlogs.isEmpty }

    func isFull(for client: ClientID) -> Bool {
        (backlogs[client]?.bytes ?? 0) >= Self.clientBytes
    }

    /// True when not even a refusal should be kept for the client.
    func isOverfull(for client: ClientID) -> Bool {
        (backlogs[client]?.bytes ?? 0) >= Self.clientBytes + Self.refusalBytes
    }

    /// False when what is in the store, and can be asked for again, should be: later. Who has taken
    /// all before has room for a small reply, whatever others leave here.
    func hasRoom(for frames: [[UInt8]], to client: ClientID) -> Bool {
        guard !isFull(for: client) else { return false }
        let bytes = frames.byteCount
        let hasTakenAll = backlogs[client] == nil && (transits[client]?.bytes ?? 0) == 0
        return hasTakenAll && bytes < Self.smallBytes
            || inTransit.bytes + kept + bytes <= Self.allBytes
    }

    /// Sends the message, or keeps it behind those that wait already.
    ///
    /// - Returns: How many messages were dropped: the client is gone, or has taken far too little.
    mutating func send(
        _ frames: [[UInt8]],
        to client: ClientID,
        on socket: borrowing Socket,
        at now: Timestamp
    ) throws(ZeroMQError) -> Int64 {
        if backlogs[client] == nil {
            switch try pass(frames, to: client, on: socket) {
            case .sent: return 0
            case .unreachable: return 1
            case .full: backlogs[client] = Backlog(since: now)
            }
        }
        let bytes = frames.byteCount
        guard let before = backlogs[client]?.bytes, before + bytes <= Self.mostBytes else {
            return 1
        }
        backlogs[client]?.messages.append(frames)
        backlogs[client]?.bytes += bytes
        kept += bytes
        return 0
    }

    /// Gives the message to libzmq, unless that has enough large ones for the client.
    private mutating func pass(
        _ frames: [[UInt8]],
        to client: ClientID,
        on socket: borrowing Socket
    ) throws(ZeroMQError) -> SendOutcome {
        guard frames.contains(where: { $0.count >= Transit.countedFrom }) else {
            return try socket.send(frames, waiting: false)
        }
        forgetWhoHasTaken()
        let transit = transits[client] ?? Transit(within: inTransit)
        let before = transit.bytes
        if before > 0, before + frames.byteCount > Self.transitBytes { return .full }
        transits[client] = transit
        return try socket.send(frames, waiting: false, counting: transit)
    }

    private mutating func forgetWhoHasTaken() {
        guard transits.count >= manyTransits else { return }
        transits = transits.filter { $0.value.bytes > 0 }
        manyTransits = max(64, 2 * transits.count)
    }

    /// Tries again what waits.
    ///
    /// - Returns: How many messages were dropped, because their clients are gone or took nothing
    ///   for too long.
    mutating func flush(on socket: borrowing Socket, at now: Timestamp) throws(ZeroMQError) -> Int64
    {
        var dropped: Int64 = 0
        for client in Array(backlogs.keys) {
            // Taken out, so that nothing is copied while it changes.
            guard var backlog = backlogs.removeValue(forKey: client) else { continue }
            let before = backlog.bytes
            let isGone = try flush(&backlog, of: client, on: socket, at: now)
            let rest = backlog.messages.count - backlog.first
            if isGone || rest == 0 {
                dropped += Int64(rest)
                kept -= before
            } else {
                kept -= before - backlog.bytes
                backlogs[client] = backlog
            }
        }
        return dropped
    }

    /// - Returns: True when the client is gone, or as good as gone.
    private mutating func flush(
        _ backlog: inout Backlog,
        of client: ClientID,
        on socket: borrowing Socket,
        at now: Timestamp
    ) throws(ZeroMQError) -> Bool {
        guard now.ms(since: backlog.since) <= Self.patienceMs else { return true }
        while backlog.first < backlog.messages.count {
            let frames = backlog.messages[backlog.first]
            switch try pass(frames, to: client, on: socket) {
            case .full:
                backlog.forgetSent()
                return false
            case .unreachable: return true
            case .sent:
                backlog.messages[backlog.first] = []
                backlog.first += 1
                backlog.bytes -= frames.byteCount
                backlog.since = now
            }
        }
        return false
    }
}

extension Outbox.Backlog {
    /// Room for more, when half of what is there was sent.
    fileprivate mutating func forgetSent() {
        guard first > messages.count / 2 else { return }
        messages.removeFirst(first)
        first = 0
    }
}

extension [[UInt8]] {
    fileprivate var byteCount: Int { reduce(0) { $0 + $1.count } }
}
