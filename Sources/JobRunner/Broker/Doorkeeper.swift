internal import JobCore
internal import Logging
internal import ZeroMQ

/// The thread that says who may come in: libzmq asks it about each new connection. It looks into a
/// table and waits for nobody.
struct Doorkeeper {
    private let gate: Gate
    private let log: Logger
    /// A letter ends the thread.
    private let inbox: Mailbox<Bool>
    private var refused = 0
    private var lastToldAt: ContinuousClock.Instant?

    /// How often refusals are told, however many there are.
    private static let tellEvery = Duration.seconds(10)

    /// Returns when the thread is ready for questions.
    static func start(
        _ gate: Gate,
        in context: Context,
        inbox: Mailbox<Bool>,
        log: Logger,
        ended: @escaping @Sendable () -> Void
    ) throws(ZeroMQError) {
        let bound = Mailbox<ZeroMQError?>()
        startThread(.doorkeeper, ended: ended) {
            do throws(ZeroMQError) {
                let socket = try Socket(.router, in: context)
                try socket.bind(Gate.endpoint)
                bound.put(nil)
                var keeper = Doorkeeper(gate, log, inbox)
                try keeper.answer(socket)
            } catch {
                bound.put(error)
            }
        }
        if case .some(.some(let error)) = bound.wait().first { throw error }
    }

    private init(_ gate: Gate, _ log: Logger, _ inbox: Mailbox<Bool>) {
        self.gate = gate
        self.log = log
        self.inbox = inbox
    }

    private mutating func answer(_ socket: borrowing Socket) throws(ZeroMQError) {
        var poll = PollSet()
        let asked = poll.add(socket)
        let told = poll.add(fileDescriptor: inbox.descriptor)
        while true {
            try poll.wait(timeout: nil)
            if poll.isReady(told) { return }
            guard poll.isReady(asked),
                case .message(let request) = try socket.receive(
                    limits: .unlimited,
                    waiting: false
                ),
                let answer = gate.answer(request)
            else { continue }
            _ = try socket.send(answer.frames, waiting: false)
            if let refusal = answer.refusal { tell(refusal) }
        }
    }

    private mutating func tell(_ refusal: String) {
        refused += 1
        let now = ContinuousClock.now
        if let lastToldAt, now - lastToldAt < Self.tellEvery { return }
        lastToldAt = now
        log.warning(
            "Somebody was not let in.",
            metadata: ["reason": "\(refusal)", "so far": "\(refused)"]
        )
    }
}

/// Whom the broker knows by the names that the doorkeeper gives.
struct Peers {
    /// Nil when every endpoint is in the clear, and everybody is local.
    private let byName: [String: Peer]?

    /// The name of peers at endpoints in the clear. No client is called so.
    static let nameInTheClear = ""

    init(_ curve: Settings.Curve?) {
        guard let curve else {
            byName = nil
            return
        }
        var peers = [Self.nameInTheClear: Peer.local]
        for (name, client) in curve.clients {
            peers[name] = Peer(owner: Owner(rawValue: name), role: client.role)
        }
        byName = peers
    }

    /// Nil for somebody who should not be here.
    func peer(named name: String?) -> Peer? {
        guard let byName else { return .local }
        return name.flatMap { byName[$0] }
    }
}

extension Gate {
    init(_ curve: Settings.Curve) {
        var names: [PublicKey: String] = [:]
        for (name, client) in curve.clients {
            if let key = PublicKey(bytes: client.publicKey) { names[key] = name }
        }
        self.init(names, inTheClear: Peers.nameInTheClear)
    }
}
