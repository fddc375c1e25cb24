internal import JobCore

/// Replies as Titanic's services give them: a status, then what belongs to it.
///
/// Source: ZeroMQ RFC 9/TSP, which allows four codes.
enum TitanicFrames {
    /// As the code of RFC 9, and the frames behind it. Why something is refused stands there as
    /// JSON, which clients of Titanic pass over; but `titanic.close` is answered by the code alone.
    static func of(_ reply: Reply, closing: Bool, now: Timestamp) -> [[UInt8]] {
        switch reply {
        case .titanicID(let id): [code(200), id.text]
        case .result(let result) where result.end.state == .succeeded:
            [code(200)] + result.frames
        case .result: [code(500), json(reply, now)]
        case .pending: [code(300)]
        case .refused(let refusal):
            [code(refusal.titanicStatus)] + (closing ? [] : [json(reply, now)])
        default: [code(200)]
        }
    }

    private static func code(_ status: Int) -> [UInt8] { Array(String(status).utf8) }

    private static func json(_ reply: Reply, _ now: Timestamp) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.members(of: reply, now: now)
        writer.endObject()
        return writer.finish()
    }
}

extension Refusal {
    /// 400 tells the client never to try again, 500 to try again later.
    fileprivate var titanicStatus: Int {
        switch status {
        case 413 where totalBytes != nil: 500  // The id is known, and the result is there.
        case 429, 500...: 500
        default: 400
        }
    }
}
