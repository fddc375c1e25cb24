internal import JobCore
internal import ZeroMQ

/// Replies that slow clients have not taken yet: each client's own queue, bounded in bytes and
/// time.
struct Outbox {
    /// Bytes kept for one client.
    static let clientBytes = 4 << 20
    /// Bytes beyond that for telling the client so; then its requests are dropped.
    static let refusalBytes = 256 << 10
    /// A client that takes nothing for this long loses what was kept for it, in ms.
    static let patienceMs: Int64 = 30_000

    private struct Backlog {
        var messages: [[[UInt8]]] = []
        var bytes = 0
        var since: Timestamp
    }

    private var backlogs: [ClientID: Backlog] = [:]

    var isEmpty: Bool { backlogs.isEmpty }

    func isFull(for client: ClientID) -> Bool {
        (backlogs[client]?.bytes ?? 0) >= Self.clientBytes
    }

    /// True when not even a refusal should be kept for the client.
    func isOverfull(for client: ClientID) -> Bool {
        (backlogs[client]?.bytes ?? 0) >= Self.clientBytes + Self.refusalBytes
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
            switch try socket.send(frames, waiting: false) {
            case .sent: return 0
            case .unreachable: return 1
            case .full: backlogs[client] = Backlog(since: now)
            }
        }
        backlogs[client]?.messages.append(frames)
        backlogs[client]?.bytes += frames.reduce(0) { $0 + $1.count }
        return 0
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
                let outcome = try socket.send(backlog.messages[sent], waiting: false)
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
                backlog.bytes = backlog.messages.joined().reduce(0) { $0 + $1.count }
                backlog.since = now
                backlogs[client] = backlog
            }
        }
        return dropped
    }
}
