internal import JobCore
public import JobWire
public import ZeroMQ

/// What happens to jobs and queues, as the runner tells it: best effort, and from now on.
///
/// Belongs to one thread. Who does not take events in time misses some, which a gap in the numbers
/// `seq` shows to who listens to everything; after a restart of the runner they begin anew, with
/// another `run`, as soon as somebody asks for the next. `show` tells how a job really stands.
public final class EventStream {
    /// One event.
    public struct Event: Equatable, Sendable {
        /// `job.17.succeeded`, `job.17.progress`, `queue.mail.paused`.
        public let topic: String
        /// `seq`, `run`, `at` and what the topic is about, in the protocol's words.
        public let body: JSON

        public init(topic: String, body: JSON) {
            self.topic = topic
            self.body = body
        }
    }

    /// Where the events come from.
    public let endpoint: String
    private let socket: Socket
    private var poll: PollSet

    /// A topic or what stands behind it is never longer.
    private static let limits = MessageLimits(frames: 2, bytes: 64 << 10)
    /// Events that wait to be taken; beyond that some are missed.
    private static let mostWaiting = 10_000

    /// Connects in the background: what is told before it has is missed.
    ///
    /// - Parameters:
    ///   - endpoint: One of those that `sys.info` names as `events`.
    ///   - topics: What to hear of: everything whose topic begins with one of these. An empty one
    ///     is the beginning of all.
    ///   - keys: As for the runner itself; for tcp alone.
    /// - Throws: `.zeroMQ`, as for an endpoint that is none.
    public init(
        endpoint: String,
        topics: [String],
        keys: SocketOptions.ClientKeys? = nil
    ) throws(ClientError) {
        var options = SocketOptions()
        options.receiveHighWaterMark = Self.mostWaiting
        // A connection that is dead without a word is noticed, and made anew.
        options.heartbeatInterval = .seconds(10)
        options.heartbeatTimeout = .seconds(30)
        if endpoint.hasPrefix("tcp://") { options.keys = keys }
        let socket = try asClientError { () throws(ZeroMQError) -> Socket in
            let socket = try Socket(.sub, in: Context(), options: options)
            for topic in topics { try socket.subscribe(Array(topic.utf8)) }
            try socket.connect(endpoint)
            return socket
        }
        var poll = PollSet()
        _ = poll.add(socket)
        self.poll = poll
        self.endpoint = endpoint
        self.socket = socket
    }

    /// Waits for the next event.
    ///
    /// - Parameter timeout: How long to wait; nil is for ever.
    /// - Returns: Nil when none came in time.
    /// - Throws: `.zeroMQ`, or `.badReply` when who sends it speaks another protocol.
    public func next(within timeout: Duration?) throws(ClientError) -> Event? {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        let message = try asClientError { () throws(ZeroMQError) in try frames(until: deadline) }
        return try message.map { frames throws(ClientError) in try Event(frames) }
    }

    private func frames(until deadline: ContinuousClock.Instant?) throws(ZeroMQError) -> [[UInt8]]?
    {
        while true {
            switch try socket.receive(limits: Self.limits, waiting: false) {
            case .message(let frames): return frames
            case .tooLarge: continue
            case .nothing: break
            }
            let rest = deadline.map { ContinuousClock.now.duration(to: $0) }
            if let rest, rest <= .zero { return nil }
            try poll.wait(timeout: rest)
        }
    }
}

extension EventStream.Event {
    init(_ frames: [[UInt8]]) throws(ClientError) {
        guard frames.count == 2, let topic = String(validating: frames[0], as: UTF8.self),
            let body = try? JSON(parsing: frames[1]), body.objectValue != nil
        else { throw .badReply("an event has a topic and an object") }
        self.init(topic: topic, body: body)
    }
}

extension JobClient {
    /// Listens to what happens from now on.
    ///
    /// - Parameter topics: As for `EventStream`; everything unless told.
    /// - Returns: The events, of which none may have come yet.
    /// - Throws: `.noEvents` when the runner tells of none where this client can hear it.
    public func events(_ topics: [String] = [""]) throws(ClientError) -> EventStream {
        let endpoints = try info()["events"]?.arrayValue?.compactMap(\.stringValue) ?? []
        guard let found = eventEndpoint(among: endpoints, for: endpoint) else {
            throw .noEvents(endpoint: endpoint)
        }
        return try EventStream(endpoint: found, topics: topics, keys: keys)
    }
}

/// Which of the endpoints a client can reach that has found the runner at `endpoint`: one of the
/// same kind, or the socket when both are on one machine. An address that stands for all of a
/// machine's is replaced by the one that the client has used.
func eventEndpoint(among endpoints: [String], for endpoint: String) -> String? {
    let socket = endpoints.first { $0.hasPrefix("ipc://") }
    let tcp = endpoints.first { $0.hasPrefix("tcp://") }
    guard let host = hostOfTCP(endpoint) else { return socket ?? tcp }
    if let tcp, let port = tcp.split(separator: ":").last {
        let isOpen = ["0.0.0.0", "[::]"].contains(hostOfTCP(tcp))
        return isOpen ? "tcp://\(host):\(port)" : tcp
    }
    return host.hasPrefix("127.") || host == "localhost" || host == "[::1]" ? socket : nil
}

/// Nil for an endpoint of another kind.
private func hostOfTCP(_ endpoint: String) -> String? {
    guard endpoint.hasPrefix("tcp://"), let colon = endpoint.lastIndex(of: ":") else { return nil }
    return String(endpoint[..<colon].dropFirst("tcp://".count))
}
