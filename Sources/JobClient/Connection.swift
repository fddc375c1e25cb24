internal import ZeroMQ

/// One socket to the runner. A client that hears nothing drops it and makes another, so that a
/// late reply to an earlier try has nowhere to arrive.
struct Connection: ~Copyable {
    private let socket: Socket
    private var poll: PollSet

    /// Far beyond what a runner sends; it bounds what a wrong peer can make us hold.
    private static let limits = MessageLimits(frames: 64, bytes: 256 << 20)

    /// Keys are used for tcp alone, for a socket of this machine asks for none. A wait ends also
    /// when there is something to read from `bell`.
    init(
        to endpoint: String,
        _ keys: SocketOptions.ClientKeys?,
        in context: Context,
        bell: CInt? = nil
    ) throws(ZeroMQError) {
        var options = SocketOptions()
        if endpoint.hasPrefix("tcp://") { options.keys = keys }
        let socket = try Socket(.dealer, in: context, options: options)
        try socket.connect(endpoint)
        var poll = PollSet()
        _ = poll.add(socket)
        if let bell { _ = poll.add(fileDescriptor: bell) }
        self.poll = poll
        self.socket = socket
    }

    /// Leaves the message to libzmq. What does not get out is sent again by the next try.
    func send(_ message: [[UInt8]]) throws(ZeroMQError) {
        _ = try socket.send(message, waiting: false)
    }

    /// The next message, or nil when none came in time.
    mutating func next(until deadline: ContinuousClock.Instant) throws(ZeroMQError) -> [[UInt8]]? {
        while true {
            if let frames = try nextIfAny() { return frames }
            let rest = ContinuousClock.now.duration(to: deadline)
            guard rest > .zero else { return nil }
            try poll.wait(timeout: rest)
        }
    }

    /// The next message that is there already.
    func nextIfAny() throws(ZeroMQError) -> [[UInt8]]? {
        guard case .message(let frames) = try socket.receive(limits: Self.limits, waiting: false)
        else { return nil }
        return frames
    }

    /// Waits for a message or the bell; nil is for ever.
    mutating func wait(until deadline: ContinuousClock.Instant?) throws(ZeroMQError) {
        let rest = deadline.map { max(ContinuousClock.now.duration(to: $0), .zero) }
        try poll.wait(timeout: rest)
    }
}
