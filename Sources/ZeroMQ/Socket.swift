internal import CZeroMQ

/// One ZeroMQ socket: born, used and closed on one thread.
///
/// The type says so. It cannot be copied, so it has one owner; and it is not `Sendable`, so it
/// cannot be captured by a thread's closure. Hand the thread a `Context` and an endpoint, and let
/// it make its own socket.
public struct Socket: ~Copyable {
    /// - `router` knows its peers by routing id, the first frame of every message both ways.
    /// - `dealer` sends to its peers in turn and receives fairly from all of them.
    /// - `req` sends one request, then receives its one reply, and so on.
    /// - `pair` has one peer; for two threads, over inproc.
    /// - `xpub` sends to all who have subscribed, and receives what they subscribe to.
    /// - `sub` receives what it has subscribed to, as far as it keeps up.
    public enum Kind: Sendable {
        case router, dealer, req, pair, xpub, sub
    }

    let kind: Kind
    let handle: Handle

    public init(
        _ kind: Kind,
        in context: Context,
        options: SocketOptions = SocketOptions()
    ) throws(ZeroMQError) {
        self.handle = try Handle(kind, in: context, options: options)
        self.kind = kind
    }

    /// With a secret key, for which the socket must be guarded, only peers come in that speak CURVE
    /// and expect this key; in the clear when nil. libzmq copies the options of a socket when it
    /// binds, so that one socket can have endpoints of both kinds.
    public func bind(_ endpoint: String, secretKey: SecretKey? = nil) throws(ZeroMQError) {
        precondition(secretKey == nil || handle.isGuarded, "CURVE alone lets every key in")
        if handle.isGuarded { try useCurve(secretKey) }
        guard zmq_bind(handle.pointer, endpoint) == 0 else {
            throw ZeroMQError.last("bind \(endpoint)")
        }
    }

    /// A socket that something can be read from whenever a connection has come in at this one, or
    /// could not be accepted: what it is does not matter (zmq_socket_monitor(3)).
    ///
    /// Who asks for it must read it: when it is full, libzmq's thread waits.
    public func arrivals(in context: Context) throws(ZeroMQError) -> Socket {
        let endpoint = "inproc://arrivals-\(UInt(bitPattern: handle.pointer))"
        let events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED
        guard zmq_socket_monitor(handle.pointer, endpoint, events) == 0 else {
            throw ZeroMQError.last("watch who comes in")
        }
        let socket = try Socket(.pair, in: context)
        try socket.connect(endpoint)
        return socket
    }

    /// For a guarded router: who sent the message that was received last, by the name that the
    /// `Gate` gave. Nil when no gate was asked, as for a peer over inproc.
    public var sender: String? { handle.sender }

    /// Returns at once: libzmq connects in the background, again and again until it succeeds.
    public func connect(_ endpoint: String) throws(ZeroMQError) {
        guard zmq_connect(handle.pointer, endpoint) == 0 else {
            throw ZeroMQError.last("connect to \(endpoint)")
        }
    }

    /// The endpoint of the last bind or connect, with the port that `tcp://127.0.0.1:*` was given.
    /// Empty before the first.
    public var lastEndpoint: String {
        get throws(ZeroMQError) {
            // Longer than any tcp or ipc endpoint; a longer inproc name throws EINVAL.
            var bytes = [UInt8](repeating: 0, count: 1024)
            var size = bytes.count
            guard zmq_getsockopt(handle.pointer, ZMQ_LAST_ENDPOINT, &bytes, &size) == 0 else {
                throw ZeroMQError.last("read the last endpoint")
            }
            return String(decoding: bytes.prefix(while: { $0 != 0 }), as: UTF8.self)
        }
    }
}

/// The open socket itself, closed when the last owner lets go: its `Socket`, or a `PollSet` that
/// would otherwise poll freed memory.
final class Handle {
    let pointer: UnsafeMutableRawPointer
    let isGuarded: Bool
    var sender: String?
    private let context: Context  // Must not terminate before the socket is closed.

    init(
        _ kind: Socket.Kind,
        in context: Context,
        options: SocketOptions
    ) throws(ZeroMQError) {
        guard let pointer = zmq_socket(context.pointer, kind.rawType) else {
            throw ZeroMQError.last("open a \(kind) socket")
        }
        self.pointer = pointer
        self.context = context
        isGuarded = options.isGuarded
        try options.apply(to: pointer, of: kind)
    }

    deinit {
        zmq_close(pointer)
    }
}

extension Socket.Kind {
    fileprivate var rawType: CInt {
        switch self {
        case .router: ZMQ_ROUTER
        case .dealer: ZMQ_DEALER
        case .req: ZMQ_REQ
        case .pair: ZMQ_PAIR
        case .xpub: ZMQ_XPUB
        case .sub: ZMQ_SUB
        }
    }
}
