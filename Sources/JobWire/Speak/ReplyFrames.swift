public import JobCore

/// Writes what a client is told as the frames that a ROUTER sends: the client's routing id, an
/// empty delimiter, the protocol, the service as it was asked, three digits, a JSON object, and a
/// result's bytes. Sentences tell of times to come as seen from `now`.
public func frames(for message: Message, now: Timestamp) -> [[UInt8]] {
    let reply = message.reply
    let digits = Array(String(reply.status).utf8)
    var frames = [message.to.client.rawValue, [], clientProtocol, message.to.service, digits]
    if message.to.service.starts(with: managementPrefix) { return frames }

    var writer = JSONWriter()
    writer.beginObject()
    if let request = message.to.request { writer.member("request", .string(request)) }
    writer.members(of: reply, now: now)
    writer.endObject()
    frames.append(writer.finish())
    if case .result(let result) = reply, result.head != nil { frames.append(result.bytes) }
    return frames
}

extension Reply {
    /// True when writing it may take longer than about a quarter of a millisecond, so that a thread
    /// with nothing urgent to do should write it.
    public var isLong: Bool {
        switch self {
        case .shown(let jobs, _), .listed(let jobs, _):
            jobs.count > 16 || jobs.contains { $0.pastAttempts.count > 4 }
        case .ended(let ends, _): ends.count > 100
        case .queues(let queues): queues.count > 100
        case .result(let result):
            result.head?.format == .frames && result.bytes.count > 256 << 10
        default: false
        }
    }

    /// The protocol's three digits.
    public var status: Int {
        switch self {
        case .pending, .ended(_, all: false): 300
        case .served(let isServed): isServed ? 200 : 404
        // A status of other than three digits would be no reply at all.
        case .refused(let refusal): (100...999).contains(refusal.status) ? refusal.status : 500
        case .accepted, .result, .shown, .ended, .listed, .count, .queues, .pong, .about,
            .statistics, .draining:
            200
        }
    }
}
