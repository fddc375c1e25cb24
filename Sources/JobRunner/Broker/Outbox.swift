internal import JobCore
internal import ZeroMQ

/// Replies that clients have not taken yet: each client's own, bounded in bytes and time.
///
/// What libzmq has of a client's large replies counts too, for its own bound is one of messages.
struct Outbox {
    /// Bytes kept for one client.
    static let clientBytes = 4 << 20
    /// Bytes beyond that for telling the client so; then its requests are dropped.
    static let refusalBytes = 256 << 10
    /// Bytes in large frames that libzmq is given at once for one client: one of the largest
    /// replies.
    static let transitBytes = 16 << 20
    /// Bytes kept for all clients, and in transit. Beyond that no results are told.
    static let allBytes = 512 << 20
    /// A client that takes nothing for this long loses what was kept for it, in ms.
    static let patienceMs: Int64 = 30_000

    private struct Backlog {
        var messages: [[[UInt8]]] = []
        var bytes = 0
        var since: Timestamp
    }

    private var backlogs: [ClientID: Backlog] = [:]
    private var transits: [ClientID: Transit] = [:]

    var isEmpty: Bool { backlogs.isEmpty }

    func isFull(for client: ClientID) -> Bool {
        (backlogs[client]?.bytes ?? 0) >= Self.clientBytes
    }

    /// True when not even a refusal should be kept for the client.
    func isOverfull(for client: ClientID) -> Bool {
        (backlogs[client]?.bytes ?? 0) >= Self.clientBytes + Self.refusalBytes
    }

    /// False when what is in the store, and can be asked for again, should be: later.
    func hasRoom(for frames: [[UInt8]], to client: ClientID) -> Bool {
        let bytes = frames.byteCount
        guard bytes >= Transit.countedFrom else { return true }
        return !isFull(for: client) && allBytes + bytes <= Self.allBytes
    }

    private var allBytes: Int {
        transits.values.reduce(0) { $0 + $1.bytes } + backlogs.values.reduce(0) { $0 + $1.bytes }
    }

    /// Sends the message, or keeps it behind those that wait already.
    ///
    /// - Returns: How many messages were dropped: the client is gone.
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
        backlogs[client]?.messages.append(frames)
        backlogs[client]?.bytes += frames.byteCount
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
        let transit = transits[client] ?? Transit()
        let inTransit = transit.bytes
        if inTransit > 0, inTransit + frames.byteCount > Self.transitBytes { return .full }
        transits[client] = transit
        return try socket.send(frames, waiting: false, counting: transit)
    }

    private mutating func forgetWhoHasTaken() {
        for (client, transit) in transits where transit.bytes == 0 { transits[client] = nil }
    }

    /// Tries again what waits.
    ///
    /// - Returns: How many messages were dropped, because their clients are gone or took nothing
    ///   for too long.
    mutating func flush(on socket: borrowing Socket, at now: Timestamp) throws(ZeroMQError) -> Int64
    {
        var dropped: Int64 = 0
        for (client, var backlog) in backlogs {
            var sent = 0
            var isGone = now.ms(since: backlog.since) > Self.patienceMs
            while !isGone, sent < backlog.messages.count {
                let outcome = try pass(backlog.messages[sent], to: client, on: socket)
                if outcome == .full { break }
                isGone = outcome == .unreachable
                if !isGone { sent += 1 }
            }
            let rest = backlog.messages.count - sent
            guard !isGone, rest > 0 else {
                dropped += Int64(rest)
                backlogs[client] = nil
                continue
            }
            if sent > 0 {
                backlog.messages.removeFirst(sent)
                backlog.bytes = backlog.messages.reduce(0) { $0 + $1.byteCount }
                backlog.since = now
                backlogs[client] = backlog
            }
        }
        return dropped
    }
}

extension [[UInt8]] {
    fileprivate var byteCount: Int { reduce(0) { $0 + $1.count } }
}
