internal import JobCore
internal import JobWire
internal import Logging
internal import ZeroMQ

/// The thread that tells of events: hears what subscribers want, and publishes what was announced.
/// It waits for nobody, and writes nothing that nobody wants.
struct Publisher: ~Copyable {
    /// What of subscribers is heard in one look.
    private static let messagesARound = 256
    /// A subscription is one byte and a topic. Longer ones do not come so far: libzmq keeps topics
    /// in a tree as deep as they are long.
    private static let limits = MessageLimits(frames: 1, bytes: 1 + Limits.topicBytes)

    private let kit: Kit
    private let socket: Socket
    private let arrivals: Socket
    private var subscriptions = Subscriptions()
    /// What was announced so far in this run, whether or not somebody wanted it.
    private var sequence: Int64 = 0

    /// What the thread is born with.
    struct Kit: Sendable {
        let context: Context
        let endpoints: [String]
        let options: SocketOptions
        /// For tcp; nil when there are no keys.
        let secretKey: SecretKey?
        let run: RunID
        let audience: Audience
        /// To be called when somebody has come in.
        let somebodyCame: @Sendable () -> Void
        let log: Logger
    }

    /// Returns when the endpoints are bound.
    ///
    /// - Returns: What subscribers can connect to.
    /// - Throws: A `RunnerError`, which names the endpoint, or a `ZeroMQError`.
    static func start(_ kit: Kit, ended: @escaping @Sendable () -> Void) throws -> [String] {
        let bound = Mailbox<Result<[String], any Error>>()
        startThread(.publisher, ended: ended) {
            do {
                var endpoints: [String] = []
                let socket = try Self.open(kit, &endpoints)
                let arrivals = try socket.arrivals(in: kit.context)
                bound.put(.success(endpoints))
                var publisher = Publisher(kit, socket, arrivals)
                try publisher.run()
            } catch {
                kit.audience.hasSubscribed(to: 0)  // Nobody can be told any more.
                kit.log.error("Events are not told.", metadata: ["reason": "\(error)"])
                bound.put(.failure(error))
            }
        }
        return try bound.wait().first?.get() ?? []
    }

    private init(_ kit: Kit, _ socket: consuming Socket, _ arrivals: consuming Socket) {
        self.kit = kit
        self.socket = socket
        self.arrivals = arrivals
    }

    private static func open(_ kit: Kit, _ endpoints: inout [String]) throws -> Socket {
        let socket = try Socket(.xpub, in: kit.context, options: kit.options)
        for endpoint in kit.endpoints {
            do throws(ZeroMQError) {
                let key = endpoint.hasPrefix("ipc://") ? nil : kit.secretKey
                try socket.bind(endpoint, secretKey: key)
                endpoints.append(try socket.lastEndpoint)
            } catch {
                throw RunnerError.endpoint(endpoint, reason: error.reason)
            }
        }
        return socket
    }

    private mutating func run() throws(ZeroMQError) {
        var poll = PollSet()
        let subscribed = poll.add(socket)
        let arrived = poll.add(arrivals)
        let told = poll.add(fileDescriptor: kit.audience.inbox.descriptor)
        while true {
            try poll.wait(timeout: nil)
            if poll.isReady(subscribed) { try hearSubscribers() }
            if poll.isReady(arrived) { try hearArrivals() }
            guard poll.isReady(told) else { continue }
            for letter in kit.audience.inbox.takeAll() {
                guard case .announced(let announcements, let moment, let dropped) = letter else {
                    return
                }
                kit.audience.arrived(announcements.count)
                sequence += dropped  // So that a gap shows.
                for announcement in announcements { try publish(announcement, at: moment) }
            }
        }
    }

    private mutating func hearSubscribers() throws(ZeroMQError) {
        for _ in 0..<Self.messagesARound {
            let received = try socket.receive(limits: Self.limits, waiting: false)
            if case .nothing = received { break }
            if case .message(let message) = received { subscriptions.hear(message) }
        }
        kit.audience.hasSubscribed(to: subscriptions.count)
    }

    private func hearArrivals() throws(ZeroMQError) {
        for _ in 0..<Self.messagesARound {
            guard case .message = try arrivals.receive(limits: .unlimited, waiting: false) else {
                break
            }
        }
        kit.somebodyCame()
    }

    private mutating func publish(
        _ announcement: Announcement,
        at moment: Timestamp
    ) throws(ZeroMQError) {
        sequence += 1
        guard subscriptions.want(announcement.topic) else { return }
        let frames = announcement.frames(run: kit.run, sequence: sequence, at: moment)
        kit.audience.wasPublished()
        if try !socket.publish(frames) { kit.audience.wasMissed() }
    }
}
