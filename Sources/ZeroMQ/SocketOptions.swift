internal import CZeroMQ

/// What a socket is told before its first bind or connect, as most options hold from then on only.
///
/// A nil leaves libzmq's default. One thing is no option: a router never hands a peer's routing id
/// over to a newcomer.
public struct SocketOptions: Sendable {
    /// The name a router at the other end knows this socket by: 1 to 255 bytes, not beginning with
    /// zero. The router invents one when nil.
    public var routingID: [UInt8]?
    /// Makes a router say when a message cannot be delivered, instead of dropping it silently.
    public var routerMandatory = true
    /// Messages that may wait to be sent, for each peer; 0 is no limit. libzmq's default is 1000.
    public var sendHighWaterMark: Int?
    /// Messages that may wait to be received, for each peer; 0 is no limit. libzmq's default is
    /// 1000.
    public var receiveHighWaterMark: Int?
    /// Bytes of the largest frame a peer may send before it is disconnected. It bounds each frame
    /// but not their number, and holds for tcp and ipc only.
    public var maxMessageSize: Int?
    /// How long a new connection may take to introduce itself; zero is no limit, the default 30 s.
    public var handshakeInterval: Duration?
    /// How often a connection is probed; zero, the default, is never.
    public var heartbeatInterval: Duration?
    /// How long a probed peer may be silent before it is disconnected; the interval when nil.
    public var heartbeatTimeout: Duration?
    /// How long what was not sent outlives the socket: the context waits for it when it ends.
    public var linger = Duration.zero
    /// Connections that the kernel lets wait for being accepted; libzmq's default is 100.
    public var backlog: Int?
    /// Has the `Gate` asked about every peer that comes in over tcp or ipc; nobody comes in while
    /// none is there.
    public var isGuarded = false
    /// Makes connections speak CURVE to a server whose public key is known; in the clear when nil.
    public var keys: ClientKeys?

    public init() {}

    /// Who we are, and whom we expect at the other end.
    public struct ClientKeys: Equatable, Sendable {
        public var secretKey: SecretKey
        public var serverKey: PublicKey

        public init(secretKey: SecretKey, serverKey: PublicKey) {
            self.secretKey = secretKey
            self.serverKey = serverKey
        }
    }
}

extension SocketOptions {
    func apply(to socket: UnsafeMutableRawPointer, of kind: Socket.Kind) throws(ZeroMQError) {
        try set(ZMQ_LINGER, linger.wholeMilliseconds, on: socket)
        if kind == .router {
            try set(ZMQ_ROUTER_MANDATORY, CInt(routerMandatory ? 1 : 0), on: socket)
        }
        // An `xpub` says when a subscriber has no room: see `publish`.
        if kind == .xpub { try set(ZMQ_XPUB_NODROP, CInt(1), on: socket) }
        try set(ZMQ_SNDHWM, sendHighWaterMark.map { CInt(clamping: $0) }, on: socket)
        try set(ZMQ_RCVHWM, receiveHighWaterMark.map { CInt(clamping: $0) }, on: socket)
        try set(ZMQ_BACKLOG, backlog.map { CInt(clamping: $0) }, on: socket)
        try set(ZMQ_MAXMSGSIZE, maxMessageSize.map { Int64($0) }, on: socket)
        try set(ZMQ_HANDSHAKE_IVL, handshakeInterval?.wholeMilliseconds, on: socket)
        try set(ZMQ_HEARTBEAT_IVL, heartbeatInterval?.wholeMilliseconds, on: socket)
        try set(ZMQ_HEARTBEAT_TIMEOUT, heartbeatTimeout?.wholeMilliseconds, on: socket)
        if let routingID {
            guard zmq_setsockopt(socket, ZMQ_ROUTING_ID, routingID, routingID.count) == 0 else {
                throw ZeroMQError.last("set a routing id of \(routingID.count) bytes")
            }
        }
        if isGuarded {
            try set(ZMQ_ZAP_DOMAIN, bytes: Array(Gate.domain.utf8), on: socket)
            // Without it libzmq lets everybody in while nobody answers its questions
            // (`curve_server_t::process_initiate`, `null_mechanism_t::next_handshake_command`).
            try set(CZEROMQ_ZAP_ENFORCE_DOMAIN, CInt(1), on: socket)
        }
        if let keys {
            try set(ZMQ_CURVE_SERVERKEY, bytes: keys.serverKey.bytes, on: socket)
            try set(ZMQ_CURVE_PUBLICKEY, bytes: keys.secretKey.publicKey.bytes, on: socket)
            try set(ZMQ_CURVE_SECRETKEY, bytes: keys.secretKey.bytes, on: socket)
        }
    }
}

extension Socket {
    /// Has a `sub` receive what begins with this topic; an empty one is the beginning of all.
    public func subscribe(_ topic: [UInt8]) throws(ZeroMQError) {
        precondition(kind == .sub, "only a sub subscribes")
        guard zmq_setsockopt(handle.pointer, ZMQ_SUBSCRIBE, topic, topic.count) == 0 else {
            throw ZeroMQError.last("subscribe to a topic of \(topic.count) bytes")
        }
    }

    /// Whether an `xpub` leaves out subscribers that have no room, instead of sending to nobody.
    func leaveOutWhoIsFull(_ leavesOut: Bool) throws(ZeroMQError) {
        try set(ZMQ_XPUB_NODROP, CInt(leavesOut ? 0 : 1), on: handle.pointer)
    }

    /// Whether endpoints bound from now on speak CURVE, and with which key.
    func useCurve(_ secretKey: SecretKey?) throws(ZeroMQError) {
        if let secretKey {
            try set(ZMQ_CURVE_SECRETKEY, bytes: secretKey.bytes, on: handle.pointer)
        }
        // Last, for setting a key makes a socket a CURVE client.
        try set(ZMQ_CURVE_SERVER, CInt(secretKey == nil ? 0 : 1), on: handle.pointer)
    }
}

private func set<Value: FixedWidthInteger>(
    _ option: CInt,
    _ value: Value?,
    on socket: UnsafeMutableRawPointer
) throws(ZeroMQError) {
    guard var value else { return }
    guard zmq_setsockopt(socket, option, &value, MemoryLayout<Value>.size) == 0 else {
        throw ZeroMQError.last("set socket option \(option) to \(value)")
    }
}

/// The bytes, which may be secret, are in no error.
private func set(
    _ option: CInt,
    bytes: [UInt8],
    on socket: UnsafeMutableRawPointer
) throws(ZeroMQError) {
    guard zmq_setsockopt(socket, option, bytes, bytes.count) == 0 else {
        throw ZeroMQError.last("set socket option \(option)")
    }
}

extension Duration {
    /// Milliseconds from 0 to `CInt.max`, rounded up: a wait must not end before its time, for then
    /// the loop around it would spin.
    var wholeMilliseconds: CInt {
        guard self > .zero else { return 0 }
        guard self < .milliseconds(CInt.max) else { return .max }
        let (seconds, attoseconds) = components
        let perMillisecond: Int64 = 1_000_000_000_000_000
        return CInt(seconds * 1000 + (attoseconds + perMillisecond - 1) / perMillisecond)
    }
}
