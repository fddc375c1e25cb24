public import JobCore

/// Writes what a client is told as the frames that a ROUTER sends: the client's routing id, an
/// empty delimiter, the protocol, the service as it was asked, and what this service answers with:
/// usually three digits, a JSON object, and a result's bytes. Sentences tell of times to come as
/// seen from `now`.
public func frames(for message: Message, now: Timestamp) -> [[UInt8]] {
    let (caller, reply) = (message.to, message.reply)
    var frames = [caller.client.rawValue, [], clientProtocol, caller.service]
    switch AnswerForm(of: caller.service) {
    case .management: frames.append(digits(reply.status))
    case .titanic:
        let isClosing = caller.service == Array(Service.titanicClose.rawValue.utf8)
        frames += TitanicFrames.of(reply, closing: isClosing, now: now)
    case .call:
        if case .result(let result) = reply, result.end.state == .succeeded {
            frames += result.frames.isEmpty ? [[]] : result.frames
        } else {
            let isFailure = if case .result = reply { true } else { false }
            frames.append(digits(isFailure ? 500 : reply.status))
            frames.append(object(message, now: now))
        }
    case .ours:
        frames.append(digits(reply.status))
        frames.append(object(message, now: now))
        if case .result(let result) = reply, result.head != nil { frames.append(result.bytes) }
    }
    return frames
}

private func digits(_ status: Int) -> [UInt8] { Array(String(status).utf8) }

private func object(_ message: Message, now: Timestamp) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    if let request = message.to.request { writer.member("request", .string(request)) }
    writer.members(of: message.reply, now: now)
    writer.endObject()
    return writer.finish()
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
            .statistics, .draining, .titanicID:
            200
        }
    }
}
