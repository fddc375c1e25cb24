public import JobWire

/// Members that the protocol promises of a reply.
extension Response {
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

    /// The JSON as the protocol shows it, without the client's own name for the request.
    public var json: JSON { JSON.object(head).without("request") }

    /// Whether this answers a request. What a runner sends late or twice bears the name of another
    /// request; a refusal of what could not be read bears none.
    func answers(_ request: String, of service: String) -> Bool {
        self.service == Array(service.utf8)
            && (head["request"] == .string(request) || (head["request"] == nil && status >= 400))
    }
}
