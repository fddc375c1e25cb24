internal import JobCore
public import JobWire

/// What the runner answered to one request: the protocol's three digits, a JSON object, bytes.
public struct ServiceReply: Equatable, Sendable {
    /// 200, or 300 when it is not done yet; higher ones are thrown as refusals.
    public let status: Int
    /// Without the request's name.
    public let head: JSON
    /// Binary frames, such as the bytes of a result.
    public let frames: [[UInt8]]
}

/// The name of the client protocol, in every message.
private let header = [UInt8]("MDPC01".utf8)

/// The frames of a request as a DEALER socket sends them.
func requestMessage(service: String, body: [UInt8], frames: [[UInt8]]) -> [[UInt8]] {
    [[], header, [UInt8](service.utf8), body] + frames
}

/// Reads a message, or nil when it is not the reply to this request.
///
/// What a runner sends late or twice bears the name of another request. A reply to a request that
/// could not be read bears none.
func reply(in message: [[UInt8]], to service: String, named request: String) -> ServiceReply? {
    guard message.count >= 4, message[0].isEmpty, message[1] == header,
        message[2] == [UInt8](service.utf8),
        let status = Int(String(decoding: message[3], as: UTF8.self)), message[3].count == 3
    else { return nil }
    let head = message.count > 4 ? (try? JSON(parsing: message[4])) ?? .null : .null
    switch head["request"] {
    case nil where status >= 400: break
    case .string(request): break
    default: return nil
    }
    return ServiceReply(
        status: status,
        head: head.without("request"),
        frames: Array(message.dropFirst(5))
    )
}

extension ServiceReply {
    /// The reply itself, unless it says no.
    func accepted() throws(ClientError) -> ServiceReply {
        guard status >= 400 else { return self }
        let error = head["error"]
        var refusal = Refusal(
            status,
            error?["code"]?.stringValue ?? "unknown",
            error?["message"]?.stringValue ?? "The runner answered \(status), without a reason.",
            hint: error?["hint"]?.stringValue,
            field: error?["field"]?.stringValue
        )
        refusal.retryAfterMs = error?["retry_after_ms"]?.integerValue
        refusal.totalBytes =
            error?["total_bytes"]?.integerValue ?? head["total_bytes"]?.integerValue
        throw .refused(refusal)
    }

    /// A member that the protocol promises.
    func integer(_ key: String) throws(ClientError) -> Int64 {
        guard let value = head[key]?.integerValue else {
            throw .badReply("it has no integer \"\(key)\"")
        }
        return value
    }

    func array(_ key: String) throws(ClientError) -> [JSON] {
        guard let value = head[key]?.arrayValue else {
            throw .badReply("it has no array \"\(key)\"")
        }
        return value
    }
}
