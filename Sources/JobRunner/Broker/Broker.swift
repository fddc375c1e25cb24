internal import CLinux
internal import JobCore
internal import JobWire
internal import Logging
internal import ZeroMQ

/// The broker's thread: listens to clients, workers and the other threads, asks the dispatcher, and
/// carries out what it decides. A loop without decisions.
struct Broker: ~Copyable {
    /// Messages of clients, and of workers, in one round: nobody's flood keeps others waiting.
    private static let messagesARound = 128
    /// Bytes of clients' messages after which a round ends: to take in 64 KiB of small jobs needs
    /// about a millisecond.
    private static let bytesARound = 64 << 10
    /// How soon replies that were not taken are tried again, in ms.
    private static let flushMs: Int64 = 20
    /// A run is looked at when it is this old, in ms.
    private static let lookMs: Int64 = 2
    /// Bytes of large messages that wait for being read.
    private static let unreadBytes = 64 << 20

    var doors: Doors
    let desk: Desk
    var dispatcher: Dispatcher
    private var posts: [WorkerID: WorkerPost] = [:]
    private var outbox = Outbox()
    private var flood = Flood()
    var fillings = Fillings()
    /// Bytes of the messages that the parser has, or that wait in `parsed`.
    private var unread = 0
    /// Large messages that were read, for the next rounds.
    private var parsed: [(heard: Heard, bytes: Int)] = []
    private var exit: Signal?

    /// All that the broker uses beside its sockets.
    struct Desk {
        let inbox: Mailbox<BrokerLetter>
        let staff: Staff
        let shelf: ReportShelf
        let ear: Ear
        let peers: Peers
        let limits: MessageLimits
        let time: any TimeSource
        let log: Logger
        /// Descriptor of the signals that stop the runner; nil when somebody else looks after them.
        let signals: CInt?
        let tellIntake: (FileNotice) -> Void
        /// What somebody should look at, as far as the other threads know.
        let alarms: () -> [String]
        let clockDriftMs: () -> Int64
        let startWorker: (WorkerPost) -> Void
        /// Nil where nobody wants to hear how the runner is.
        let systemd: Systemd?
    }

    init(_ doors: consuming Doors, _ dispatcher: Dispatcher, _ desk: Desk) {
        self.doors = doors
        self.dispatcher = dispatcher
        self.desk = desk
    }

    /// Runs until the dispatcher says that all is done.
    ///
    /// - Returns: True when the process should be started again.
    mutating func run() throws(ZeroMQError) -> Bool {
        var poll = PollSet()
        let clientsReady = poll.add(doors.clients)
        let workersReady = poll.add(doors.workers)
        let arrivalsReady = poll.add(doors.arrivals)
        let externalsReady = doors.externals.sockets.map {
            (words: poll.add($0.door), arrivals: poll.add($0.arrivals))
        }
        let inboxReady = poll.add(fileDescriptor: desk.inbox.descriptor)
        let signalsReady = desk.signals.map { poll.add(fileDescriptor: $0) }

        dispatcher.begin(at: desk.time.now())
        while true {
            try carryOut(dispatcher.decide(at: desk.time.now()))
            if case .exit(let startAgain) = exit {
                doors.open()
                return startAgain
            }

            try poll.wait(timeout: pause)
            let now = desk.time.now()
            dispatcher.hasListeners = desk.staff.audience.isThere
            if poll.isReady(workersReady) { try hearWorkers(at: now) }
            if poll.isReady(inboxReady) { try hearThreads(at: now) }
            hearParsed(at: now)
            if poll.isReady(clientsReady) { try hearClients(at: now) }
            if let ready = externalsReady {
                if poll.isReady(ready.words) { try hearExternals(at: now) }
                if poll.isReady(ready.arrivals) { try doors.look(at: now) }
            }
            if let signalsReady, poll.isReady(signalsReady) { hearSignals(at: now) }
            if poll.isReady(arrivalsReady) { try doors.look(at: now) }
            try look(at: now)
        }
    }

    /// How long nothing may be heard before it is time to look at something.
    private var pause: Duration? {
        if !parsed.isEmpty { return .zero }
        var pauses: [Int64] = []
        for time in [dispatcher.nextWake(), desk.systemd?.nextLook, doors.nextTry] {
            if let time { pauses.append(max(0, time.ms(since: desk.time.now()))) }
        }
        if let ms = dispatcher.watchEveryMs { pauses.append(ms) }
        if !outbox.isEmpty { pauses.append(Self.flushMs) }
        return pauses.min().map { .milliseconds($0) }
    }
}

// MARK: Listening

extension Broker {
    private mutating func hearClients(at now: Timestamp) throws(ZeroMQError) {
        var bytes = 0
        for _ in 0..<Self.messagesARound where bytes < Self.bytesARound {
            switch try doors.clients.receive(limits: desk.limits, waiting: false) {
            case .nothing: return flood.ebb()
            case .tooLarge(let frames): refuse(envelope(frames), .messageTooLarge, at: now)
            case .message(let frames):
                let envelope = envelope(frames)
                bytes += envelope.map { $0.isLarge ? 0 : $0.byteCount } ?? 0
                hear(envelope, at: now)
            }
        }
        let wasHigh = flood.isHigh
        flood.roundWasFull()
        if flood.isHigh { try throwAway(isFirst: !wasHigh, at: now) }
    }

    /// Takes what clients have sent and throws it away, but one message of each: who waits for an
    /// answer before asking again is answered.
    private mutating func throwAway(isFirst: Bool, at now: Timestamp) throws(ZeroMQError) {
        if isFirst {
            desk.log.warning("Clients send far more than can be heard. It is thrown away.")
        }
        var heard: Set<[UInt8]> = []
        var last: [UInt8] = []
        for _ in 0..<Flood.turnsARound {
            var dropped = 0
            let received = try doors.clients.receive(limits: desk.limits, dropping: last, &dropped)
            dispatcher.dropped += Int64(dropped)
            guard case .message(let frames) = received else {
                if received == .nothing { return flood.ebb() }
                dispatcher.dropped += 1
                continue
            }
            last = frames[0]
            if heard.insert(last).inserted {
                hear(envelope(frames), at: now)
            } else {
                dispatcher.dropped += 1
            }
        }
    }

    private mutating func hearParsed(at now: Timestamp) {
        var bytes = 0
        while bytes < Self.bytesARound, !parsed.isEmpty {
            let letter = parsed.removeFirst()
            unread -= letter.bytes
            bytes += letter.bytes
            hear(letter.heard, at: now)
        }
    }

    /// Nil also when it is not known who has sent the message.
    private func envelope(_ frames: [[UInt8]]) -> Envelope? {
        desk.peers.peer(named: doors.clients.sender).flatMap { Envelope(frames, from: $0) }
    }

    private mutating func hear(_ envelope: Envelope?, at now: Timestamp) {
        if let envelope, outbox.isOverfull(for: envelope.client) {
            dispatcher.dropped += 1
        } else if let envelope, outbox.isFull(for: envelope.client) {
            refuse(envelope, .repliesNotTaken, at: now)
        } else if let envelope, envelope.isLarge {
            guard unread == 0 || unread + envelope.byteCount <= Self.unreadBytes else {
                return refuse(envelope, .tooManyBytes, at: now)
            }
            unread += envelope.byteCount
            desk.staff.parser.put(.read(envelope))
        } else {
            hear(envelope.map(desk.ear.hear) ?? .dropped, at: now)
        }
    }

    private mutating func hear(_ heard: Heard, at now: Timestamp) {
        switch heard {
        case .request(let request, let caller):
            dispatcher.hear(.asked(request, by: caller), at: now)
        case .refused(let message): send(message, at: now)
        case .dropped: dispatcher.dropped += 1
        }
    }

    private mutating func refuse(_ envelope: Envelope?, _ refusal: Refusal, at now: Timestamp) {
        guard let envelope else { return dispatcher.dropped += 1 }
        send(Message(to: envelope.caller, .refused(refusal)), at: now)
    }

    /// - Returns: True when there may be more.
    @discardableResult
    private mutating func hearWorkers(at now: Timestamp) throws(ZeroMQError) -> Bool {
        for _ in 0..<Self.messagesARound {
            guard
                case .message(let frames) = try doors.workers.receive(
                    limits: .unlimited,
                    waiting: false
                )
            else { return false }
            guard let event = WorkerLink.event(frames, from: desk.shelf) else {
                desk.log.error("A worker said what nobody can read.")
                continue
            }
            dispatcher.hear(event, at: now)
        }
        return true
    }

    private mutating func hearThreads(at now: Timestamp) throws(ZeroMQError) {
        for letter in desk.inbox.takeAll() {
            switch letter {
            case .heard(let heard, let bytes): parsed.append((heard, bytes))
            case .written(let frames, let message): send(frames, of: message, at: now)
            case .readExternal(let word, let envelope):
                doors.externals.wasRead(envelope)
                dispatcher.hear(.heardExternal(word, from: envelope.peer), at: now)
            case .writtenExternal(let frames, let message):
                fillings.wasFilled(message)
                if dispatcher.stillTells(message) { try tell(frames, message) }
            case .subscriberCame: try doors.look(at: now)
            case .event(.died(let worker)):
                // All that it said and did before comes first. There is an end to it, for nobody
                // says more than was ordered.
                while try hearWorkers(at: now) {}
                if let post = posts[worker] { hearLastWords(of: post, at: now) }
                posts[worker] = nil
                dispatcher.hear(.died(worker), at: now)
            case .event(let event):
                // Asked for only when somebody is to be told.
                if case .answered(_, .statistics) = event {
                    dispatcher.alarms = desk.alarms() + (doors.alarm.map { [$0] } ?? [])
                    dispatcher.announcementCounts = desk.staff.audience.counts
                }
                dispatcher.hear(event, at: now)
            }
        }
    }

    /// What a worker had no time to send, and where it stands.
    private mutating func hearLastWords(of post: WorkerPost, at now: Timestamp) {
        let reports = post.takeReports()
        if !reports.isEmpty { dispatcher.hear(.reported(reports), at: now) }
        if let mark = post.mark { dispatcher.hear(.seen([mark]), at: now) }
    }

    private mutating func hearSignals(at now: Timestamp) {
        while let signals = desk.signals, clinux_next_signal(signals) > 0 {
            desk.log.notice("Asked to stop.")
            dispatcher.hear(.stop, at: now)
        }
    }

    /// Not worth a look before: most runs are over sooner.
    private func isLong(_ post: WorkerPost, at now: Timestamp) -> Bool {
        post.mark.map { now.ms(since: $0.startedAt) >= Self.lookMs } ?? false
    }

    /// What nobody says: the workers' marks, and that time passes.
    private mutating func look(at now: Timestamp) throws(ZeroMQError) {
        if let time = doors.nextTry, time <= now { try doors.look(at: now) }
        if dispatcher.isDraining { desk.systemd?.sayStopping() }
        desk.systemd?.look(at: now, writerTurn: desk.staff.writer.turn)
        dispatcher.clockDriftMs = desk.clockDriftMs()
        if dispatcher.watchEveryMs != nil {
            for post in posts.values where isLong(post, at: now) {
                post.interruptIfOver()
                hearLastWords(of: post, at: now)
            }
        }
        if let wake = dispatcher.nextWake(), wake <= now { dispatcher.hear(.timePassed, at: now) }
        if !outbox.isEmpty { dispatcher.dropped += try outbox.flush(on: doors.clients, at: now) }
    }
}

// MARK: Carrying out

extension Broker {
    private mutating func carryOut(_ decisions: Decisions) throws(ZeroMQError) {
        if !decisions.changes.isEmpty { desk.staff.writer.put(.changes(decisions.changes)) }
        if !decisions.queries.isEmpty { desk.staff.reader.put(.queries(decisions.queries)) }
        try give(decisions.orders)
        let now = desk.time.now()
        for message in decisions.messages { send(message, at: now) }
        for message in decisions.externals { try tell(message) }
        for signal in decisions.signals { carryOut(signal) }
        for notice in decisions.notices { desk.tellIntake(notice) }
        if !decisions.announcements.isEmpty {
            desk.staff.audience.tell(decisions.announcements, at: now)
        }
    }

    /// One message a worker, with all its new orders.
    private func give(_ orders: [Decisions.Given]) throws(ZeroMQError) {
        var byWorker: [WorkerID: [Order]] = [:]
        for given in orders { byWorker[given.worker, default: []].append(given.order) }
        for (worker, orders) in byWorker {
            posts[worker]?.give(orders)
            // A worker that cannot be reached has died, which is said elsewhere.
            _ = try doors.workers.send(WorkerLink.call(worker), waiting: false)
        }
    }

    private mutating func send(_ message: Message, at now: Timestamp) {
        if message.later != nil, outbox.isOverfull(for: message.to.client) {
            dispatcher.dropped += 1
        } else if message.reply.isLong {
            desk.staff.parser.put(.write(message, at: now))
        } else {
            send(frames(for: message, now: now), of: message, at: now)
        }
    }

    private mutating func send(_ frames: [[UInt8]], of message: Message, at now: Timestamp) {
        var frames = frames
        if let later = message.later, !outbox.hasRoom(for: frames, to: message.to.client) {
            frames = JobWire.frames(for: later, now: now)
        }
        do {
            dispatcher.dropped += try outbox.send(
                frames,
                to: message.to.client,
                on: doors.clients,
                at: now
            )
        } catch {
            desk.log.error("A reply could not be sent.", metadata: ["reason": "\(error)"])
        }
    }

    private mutating func carryOut(_ signal: Signal) {
        switch signal {
        case .start(let worker):
            let post = WorkerPost(worker: worker)
            posts[worker] = post
            desk.startWorker(post)
        case .recall(let worker, let last):
            guard let orders = posts[worker]?.recall(upTo: last) else { return }
            desk.inbox.put(.event(.recalled(worker, orders)))
        case .breakOff(let worker, let order, _, _, let reason):
            posts[worker]?.breakOff(order, reason)
        case .abandon(let worker):
            desk.log.warning(
                "A worker does not stop and is replaced.",
                metadata: ["worker": "\(worker.rawValue)"]
            )
            posts[worker]?.abandon()
            posts[worker] = nil
            // Nobody hears it when the worker has ended meanwhile.
            _ = try? doors.workers.send(WorkerLink.goodbye(to: worker), waiting: false)
        case .exit: exit = signal
        }
    }
}
