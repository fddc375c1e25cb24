internal import CLinux
internal import Glibc
internal import JobCore
internal import JobStorage
internal import JobWire
internal import Logging
internal import ZeroMQ

/// Puts the threads together: who exists, and who hears whom.
struct Assembly {
    private static let workersEndpoint = "inproc://workers"
    /// How long the end of a run waits for its threads, which is longer than those need that are in
    /// no job.
    private static let endPause = Duration.seconds(1)

    /// How long the last events of a run may take to leave.
    private static let lastEvents = Duration.milliseconds(500)

    /// What a subscription needs beside the topic: the name of a command (ZeroMQ RFC 37), and more.
    private static let subscriptionBytes = 64

    /// What CURVE adds to a frame: name, flags, nonce and authenticator (ZeroMQ RFC 26).
    private static let curveBytes = 8 + 1 + 8 + 16

    private let settings: Settings
    private let kernels: KernelRegistry
    private let log: Logger
    private let time: RunClock
    private let ledger: InFlightLedger
    /// Of the broker and the workers. It may outlive the run, with a worker that was given up.
    private let inside: Context
    /// Of the clients. It ends with the run, once the last replies have left.
    private let outside: Context
    private let inbox = Mailbox<BrokerLetter>()
    private let staff: Staff
    /// All but the writer's.
    private let threads = ThreadCount()
    private let shelf = ReportShelf()
    /// Made at the start, for a stop may find no descriptor left.
    private let writerStopped = Mailbox<Bool>()
    private let alarm: Alarm
    private let recovery: Recovery
    /// Of the signals that stop a program; nil when they are none of our business.
    private let signals: CInt?
    private let storePath: String
    private let commands: CommandPlan

    /// Opens the store and settles what the last run left, on the writer's own thread.
    init(_ runner: Runner, _ directory: StateDirectory, isGuest: Bool) throws {
        settings = runner.settings
        kernels = runner.kernels
        log = runner.log
        staff = Staff(hasExternals: !settings.externalKernels.isEmpty)
        alarm = Alarm(log)
        storePath = directory.store
        commands = CommandPlan(settings, rooms: directory.commands)
        time = RunClock()
        var stopSignals = blockStopSignals()
        signals = isGuest ? nil : clinux_signalfd(&stopSignals)
        ledger = try InFlightLedger(path: directory.ledger)
        inside = try Context(maxSockets: 65_536, isForInproc: true)
        outside = try Context(maxSockets: 65_536)

        let (open, limits) = (runner.openStore, settings.limits)
        let writer = WriterStart(
            { () throws(StoreError) in try open(directory.store, limits) },
            limits,
            ledger,
            time,
            log,
            alarm
        )
        recovery = try writer.start(inbox: staff.writer, facts: inbox)
        ledger.begin(recovery.run)
        ledger.watchCrashes()
        try startReader(path: directory.store)
        startParser()
        startFiller(path: directory.store)
        log.tell(of: recovery)
    }

    private var catalog: Catalog { Runner.catalog(of: settings, kernels: kernels) }

    private func startReader(path: String) throws(StoreError) {
        let opened = Mailbox<StoreError?>()
        let (inbox, answers, log, alarm) = (staff.reader, inbox, log, alarm)
        let limits = settings.limits
        startThread(.reader, ended: threads.come()) {
            do throws(StoreError) {
                let store = try StoreReader(path: path, limits: limits)
                opened.put(nil)
                ReaderLoop(store, inbox: inbox, answers: answers, log: log, alarm: alarm).run()
            } catch {
                opened.put(error)
            }
        }
        if case .some(.some(let error)) = opened.wait().first { throw error }
    }

    private func startParser() {
        let (inbox, answers, ear) = (staff.parser, inbox, Ear(catalog))
        startThread(.parser, ended: threads.come()) {
            ParserLoop(ear: ear, inbox: inbox, answers: answers).run()
        }
    }

    private func startFiller(path: String) {
        guard let inbox = staff.filler else { return }
        let (answers, limits) = (self.inbox, settings.limits)
        startThread(.filler, ended: threads.come()) {
            let input = StoredInput(path: path, limits)
            FillerLoop(input: input, inbox: inbox, answers: answers).run()
        }
    }

    /// Opens the sockets; `endpoints` become what clients can connect to.
    func openDoors(_ endpoints: inout [String]) throws -> Doors {
        let secretKey = try startDoorkeeper()
        let clients = try Socket(.router, in: outside, options: clientOptions)
        let arrivals = try clients.arrivals(in: outside)
        endpoints += try bind(clients, to: settings.listen, secretKey)
        var options = SocketOptions()
        options.sendHighWaterMark = 0
        options.receiveHighWaterMark = 0
        let workers = try Socket(.router, in: inside, options: options)
        try workers.bind(Self.workersEndpoint)
        let events = try startPublisher(secretKey)
        let externals = try openExternalDoor(secretKey)
        let all = endpoints + events + externals.endpoints
        return Doors(
            clients: clients,
            workers: workers,
            arrivals: arrivals,
            externals: externals,
            events: events,
            doors: all.compactMap(Door.init)
        )
    }

    /// - Returns: The endpoints, as clients can connect to them.
    private func bind(
        _ socket: borrowing Socket,
        to endpoints: [String],
        _ secretKey: SecretKey?
    ) throws -> [String] {
        var bound: [String] = []
        for endpoint in endpoints {
            try checkIsFree(endpoint)
            do throws(ZeroMQError) {
                let key = endpoint.hasPrefix("ipc://") ? nil : secretKey
                try socket.bind(endpoint, secretKey: key)
                bound.append(try socket.lastEndpoint)
            } catch {
                throw RunnerError.endpoint(endpoint, reason: error.reason)
            }
        }
        return bound
    }

    private func openExternalDoor(_ secretKey: SecretKey?) throws -> ExternalDoor {
        guard !settings.workerListen.isEmpty else {
            return ExternalDoor(nil, endpoints: [], messageLimits)
        }
        var options = clientOptions
        // A larger result fails its job; beyond this libzmq hangs up, and the run is lost.
        options.maxMessageSize = max(options.maxMessageSize ?? 0, settings.limits.resultBytes)
        // A busy worker says nothing: that its machine is gone shows here alone.
        options.heartbeatInterval = .milliseconds(2_500)
        options.heartbeatTimeout = .milliseconds(7_500)
        let socket = try Socket(.router, in: outside, options: options)
        let arrivals = try socket.arrivals(in: outside)
        let endpoints = try bind(socket, to: settings.workerListen, secretKey)
        let sockets = ExternalDoor.Sockets(socket, arrivals: arrivals)
        return ExternalDoor(sockets, endpoints: endpoints, messageLimits)
    }

    private var messageLimits: MessageLimits {
        MessageLimits(
            frames: settings.limits.messageFrames + 2,
            bytes: settings.limits.messageBytes + 1_024
        )
    }

    /// - Returns: Where events can be had.
    private func startPublisher(_ secretKey: SecretKey?) throws -> [String] {
        guard !settings.events.isEmpty else { return [] }
        for endpoint in settings.events { try checkIsFree(endpoint) }
        var options = clientOptions
        options.sendHighWaterMark = Limits.eventsPerSubscriber
        options.maxMessageSize = Limits.topicBytes + Self.subscriptionBytes
        if settings.curve != nil { options.maxMessageSize? += Self.curveBytes }
        options.linger = Self.lastEvents
        return try Publisher.start(
            Publisher.Kit(
                context: outside,
                endpoints: settings.events,
                options: options,
                secretKey: secretKey,
                run: recovery.run,
                audience: staff.audience,
                somebodyCame: { [inbox] in inbox.put(.subscriberCame) },
                log: log
            ),
            ended: threads.come()
        )
    }

    /// - Returns: What tcp clients must know this runner by; nil when there are no keys.
    private func startDoorkeeper() throws -> SecretKey? {
        guard let curve = settings.curve else { return nil }
        let key: SecretKey
        do throws(KeyFileProblem) {
            key = try SecretKey(file: curve.secretKeyFile)
        } catch {
            throw SettingsError(problems: [error.summary])
        }
        try Doorkeeper.start(
            Gate(curve),
            in: outside,
            inbox: staff.doorkeeper,
            log: log,
            ended: threads.come()
        )
        return key
    }

    private var clientOptions: SocketOptions {
        var options = SocketOptions()
        options.isGuarded = settings.curve != nil
        options.sendHighWaterMark = 1_000
        // With a bound libzmq 4.3.4 stops reading from a peer that has reached it, and ends the
        // process when that peer then leaves (`out_event` in `stream_engine_base.cpp`).
        options.receiveHighWaterMark = 0
        options.maxMessageSize = settings.limits.messageBytes
        if settings.curve != nil { options.maxMessageSize? += Self.curveBytes }
        options.backlog = Int(Door.reserve) / 8
        options.linger = .seconds(2)  // The last replies of a run.
        options.handshakeInterval = .seconds(5)
        options.heartbeatInterval = .seconds(10)
        options.heartbeatTimeout = .seconds(30)
        return options
    }

    /// Runs the broker on the calling thread, to the end.
    func run(
        _ doors: consuming Doors,
        _ systemd: Systemd?,
        ready: () -> Void
    ) throws -> Runner.End {
        let intake = try startIntake()
        defer { intake.tell(.stop) }
        let (events, workerEndpoints) = (doors.events, doors.externals.endpoints)
        var broker = Broker(
            doors,
            Dispatcher(plan(events: events, workerEndpoints: workerEndpoints)),
            Broker.Desk(
                inbox: inbox,
                staff: staff,
                shelf: shelf,
                ear: Ear(catalog),
                peers: Peers(settings.curve),
                limits: messageLimits,
                time: time,
                log: log,
                signals: signals,
                tellIntake: { intake.tell(IntakeNotice($0)) },
                alarms: { [alarm] in alarm.sentences + intake.overview.alarms },
                clockDriftMs: { [time] in time.driftMs },
                startWorker: startWorker,
                systemd: systemd
            )
        )
        ready()
        return try broker.run() ? .startAgain : .stopped
    }

    /// To be called once, after the last use: ends all threads, and their processes with them. One
    /// that is still in a job ends after it.
    func end() {
        staff.writer.put(.stop { [writerStopped] in writerStopped.put(true) })
        _ = writerStopped.wait()
        staff.reader.put(.stop)
        staff.parser.put(.stop)
        staff.filler?.put(.stop)
        staff.audience.inbox.put(.stop)
        staff.doorkeeper.put(true)
        inside.shutdown()
        if !threads.waitUntilGone(atMost: Self.endPause) {
            log.warning("Not all threads have ended.")
        }
        if let signals { close(signals) }
    }

    /// Asks the runner to stop, as a signal does: the second time at once. From any thread.
    var stop: @Sendable () -> Void { { [inbox] in inbox.put(.event(.stop)) } }

    private func plan(events: [String], workerEndpoints: [String]) -> Dispatcher.Plan {
        var about = About(
            run: recovery.run,
            workers: settings.workers,
            limits: settings.limits,
            kernels: kernels.names,
            databases: settings.databases.keys.sorted(),
            commands: settings.commands.names
        )
        about.events = events
        about.externalKernels = Set(settings.externalKernels).sorted()
        about.workerEndpoints = workerEndpoints
        var plan = Dispatcher.Plan(
            about: about,
            startedAt: time.now(),
            drainMs: settings.drainMs,
            stuckMs: settings.stuckMs,
            reserved: recovery.reserved,
            seed: UInt64.random(in: .min ... .max)
        )
        plan.calledOff = recovery.calledOff
        plan.suspects = recovery.suspects
        plan.stages = recovery.stages
        plan.hasCrashed = recovery.hasCrashed
        plan.retention = settings.retention
        plan.hasExpress = settings.express
        plan.newestTime = recovery.newestTime
        return plan
    }

    private func startWorker(_ post: WorkerPost) {
        let kit = WorkerKit(
            context: inside,
            endpoint: Self.workersEndpoint,
            kernels: kernels,
            databases: settings.databases,
            author: ReceiptBook.Author(store: recovery.store, run: recovery.run),
            limits: settings.limits,
            ledger: ledger,
            shelf: shelf,
            storePath: storePath,
            time: time,
            nice: settings.nice,
            kernelProcess: settings.kernelProcesses ? KernelProcess.Plan(settings) : nil,
            commands: commands,
            log: log
        )
        let worker = post.worker
        let gone = threads.come()
        let ended = { @Sendable [inbox] in
            inbox.put(.event(.died(worker)))
            gone()
        }
        let hasStarted = tryToStartThread("worker-\(worker.rawValue)", ended: ended) {
            WorkerLoop.live(kit, post: post)
        }
        guard !hasStarted else { return }
        log.error("There is no thread for a worker.", metadata: ["worker": "\(worker.rawValue)"])
        ended()
    }

    /// The thread that looks after the jobs directory. What ended while nobody looked comes first.
    private func startIntake() throws -> Intake {
        let (inbox, log, ledger) = (inbox, log, SpoolLedger(path: storePath, settings.limits, log))
        let jobs = JobReader(catalog)
        let intake = try Intake(
            IntakeSettings(
                path: settings.spoolDirectory,
                run: recovery.run,
                limits: settings.limits,
                parse: { (job, frames) throws(Refusal) in try jobs.job(job, frames: frames) },
                say: { inbox.put(.event($0)) },
                results: ledger.results,
                keeping: ledger.keeping,
                log: { log.warning("\($0)") }
            )
        )
        for file in try ledger.endedFiles() { intake.tell(.ended(file)) }
        for takenAs in try ledger.loadingFiles() { intake.tell(.begun(takenAs: takenAs)) }
        intake.start(ended: threads.come())
        return intake
    }
}

/// Blocks the signals that stop a program, in this thread and all that it starts.
///
/// - Returns: Which those are.
private func blockStopSignals() -> sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGINT)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    return signals
}
