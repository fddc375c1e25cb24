/// Why a request is not done, for the client that sent it: the protocol's three digits, a stable
/// code, one sentence, and what to do.
public struct Refusal: Error, Equatable, Sendable {
    /// The protocol's status: 400, 403, 404, 409, 410, 413, 422, 429, 500, 501 or 503.
    public var status: Int
    /// Stable: programs may rely on it.
    public var code: String
    /// One sentence: what is wrong, and where.
    public var message: String
    /// One sentence: what to do about it.
    public var hint: String?
    /// The field of the request that is meant, as `jobs[3].priority`.
    public var field: String?
    /// When to try again, in ms.
    public var retryAfterMs: Int64?
    /// For `read_in_pieces`: the size of the whole result.
    public var totalBytes: Int64?

    public init(
        _ status: Int,
        _ code: String,
        _ message: String,
        hint: String? = nil,
        field: String? = nil
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.field = field
    }
}

extension Refusal: Explained {
    public var summary: String { message }
}
