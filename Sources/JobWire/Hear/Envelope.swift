public import JobCore

/// A message of a client, taken apart but not read: who sent it, which service it asks, and the
/// body. Cheap to make, and free to be handed to another thread for reading.
public struct Envelope: Equatable, Sendable {
    public let client: ClientID
    public let peer: Peer
    /// As it was sent: of any bytes.
    public let service: [UInt8]
    /// JSON, then binary frames.
    public let body: [[UInt8]]
    private let isOurs: Bool
    /// Of all frames, its address included.
    public let byteCount: Int
    private let frameCount: Int

    /// The longest name of a service: every reply repeats it.
    static let serviceBytes = 255

    /// Takes apart the frames as a ROUTER gives them: the routing id, an empty delimiter, the
    /// protocol, the service, the body.
    ///
    /// - Returns: Nil when no address and no service can be made out. Such messages are dropped.
    public init?(_ frames: [[UInt8]], from peer: Peer) {
        guard frames.count >= 4, !frames[0].isEmpty, frames[1].isEmpty,
            frames[2].starts(with: clientProtocol.prefix(4)), frames[3].count <= Self.serviceBytes
        else { return nil }
        client = ClientID(rawValue: frames[0])
        self.peer = peer
        service = frames[3]
        body = Array(frames[4...])
        isOurs = frames[2] == clientProtocol
        frameCount = frames.count
        byteCount = frames.reduce(0) { $0 + $1.count }
    }

    /// Where the answer goes.
    public var caller: Caller { Caller(client: client, service: service, peer: peer) }

    /// True when reading it may take longer than about a quarter of a millisecond, so that a thread
    /// with nothing urgent to do should read it.
    public var isLarge: Bool {
        (body.first?.count ?? 0) > 32 << 10 || byteCount > 256 << 10
    }

    /// Bounds the whole message, which ZeroMQ's own limit, one of frames, does not.
    func check(_ limits: Limits) throws(Refusal) {
        guard isOurs else {
            throw Refusal(
                400,
                "unknown_protocol",
                "This is not a message of MDPC01.",
                hint: "Send an empty frame, MDPC01, the service, and a JSON object."
            )
        }
        guard frameCount <= limits.messageFrames else {
            throw .tooLarge(nil, "The message has more than \(limits.messageFrames) frames.")
        }
        guard byteCount <= limits.messageBytes else {
            throw .tooLarge(nil, "The message is longer than \(limits.messageBytes) bytes.")
        }
    }
}
