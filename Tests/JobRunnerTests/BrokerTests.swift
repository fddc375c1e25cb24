import JobCore
import JobTesting
import JobWire
import Logging
import Testing
import ZeroMQ

@testable import JobRunner

/// The broker's loop, with a test in the place of all other threads.
@Suite("The broker") struct BrokerTests {
    /// The other threads of a broker with one worker.
    private struct Others: Sendable {
        let context: Context
        let inbox = Mailbox<BrokerLetter>()
        let staff = Staff(hasExternals: false)
        let shelf = ReportShelf()
        /// The broker stops at the gate when it is asked to.
        let orders = Mailbox<Bool>()
        let isAtGate = Mailbox<Bool>()
        let opened = Mailbox<Bool>()
        let done = Mailbox<Bool>()

        init() throws { context = try Context(maxSockets: 16, isForInproc: true) }

        func stopAtGate() {
            orders.put(true)
            inbox.put(.event(.timePassed))
            _ = isAtGate.wait()
        }

        /// Asked for once a round.
        func gate() -> Int64 {
            guard !orders.takeAll().isEmpty else { return 0 }
            isAtGate.put(true)
            _ = opened.wait()
            return 0
        }

        /// The next change that the broker gives to the writer, but for notes that a run goes on.
        func change() -> Change {
            while true {
                for case .changes(let changes) in staff.writer.wait() {
                    for change in changes {
                        if case .start = change { continue }
                        return change
                    }
                }
            }
        }

        func answerSurvey() {
            for case .queries(let queries) in staff.reader.wait() {
                for asked in queries {
                    inbox.put(.event(.answered(asked.ticket, .surveyed(Survey()))))
                }
            }
        }
    }

    private func run(_ others: Others, _ worker: @escaping @Sendable (WorkerPost) -> Void) throws {
        let options = SocketOptions()
        let clients = try Socket(.router, in: others.context, options: options)
        let arrivals = try clients.arrivals(in: others.context)
        let workers = try Socket(.router, in: others.context, options: options)
        try workers.bind("inproc://workers")
        var broker = Broker(
            Doors(
                clients: clients,
                workers: workers,
                arrivals: arrivals,
                externals: ExternalDoor(nil, endpoints: [], .unlimited),
                doors: []
            ),
            Dispatcher(plan),
            desk(others, worker)
        )
        _ = try broker.run()
    }

    private var plan: Dispatcher.Plan {
        let about = About(
            run: RunID(rawValue: 1),
            workers: 1,
            limits: Limits(),
            kernels: [],
            databases: []
        )
        return Dispatcher.Plan(
            about: about,
            startedAt: RunClock().now(),
            drainMs: 1_000,
            stuckMs: 1_000,
            reserved: 1...1_000_000,
            seed: 1
        )
    }

    private func desk(
        _ others: Others,
        _ worker: @escaping @Sendable (WorkerPost) -> Void
    ) -> Broker.Desk {
        Broker.Desk(
            inbox: others.inbox,
            staff: others.staff,
            shelf: others.shelf,
            ear: Ear(Catalog()),
            peers: Peers(nil),
            limits: MessageLimits(frames: 16, bytes: 1 << 20),
            time: RunClock(),
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            signals: nil,
            tellIntake: { _ in },
            alarms: { [] },
            clockDriftMs: others.gate,
            startWorker: { post in _ = tryToStartThread("worker") { worker(post) } },
            systemd: nil
        )
    }

    /// The socket of a worker that has said that it is there.
    private static func ready(_ post: WorkerPost, _ others: Others) throws -> Socket {
        var options = SocketOptions()
        options.routingID = WorkerLink.address(of: post.worker)
        let socket = try Socket(.dealer, in: others.context, options: options)
        try socket.connect("inproc://workers")
        _ = try socket.send(WorkerLink.ready, waiting: true)
        return socket
    }

    private static func order(to worker: borrowing Socket, _ post: WorkerPost) throws -> Order {
        guard case .message([[1]]) = try worker.receive(limits: .unlimited, waiting: true),
            let order = post.takeOrders().first
        else { throw NeverHappened("an order came") }
        return order
    }

    /// Says that it is there far more often than the broker listens in one round, then how its run
    /// has ended, and ends.
    @Sendable private static func sayMuchAndDie(_ post: WorkerPost, _ others: Others) throws {
        guard post.worker.rawValue == 1 else { return }
        let socket = try ready(post, others)
        let order = try order(to: socket, post)
        let now = RunClock().now()
        _ = post.begin(order, KernelRun(), at: now)
        others.stopAtGate()
        for _ in 0..<400 { _ = try socket.send(WorkerLink.ready, waiting: true) }
        let report = Report(
            job: order.job,
            attempt: order.attempt,
            worker: post.worker,
            ending: .succeeded(Outcome(format: .bytes, bytes: [42])),
            startedAt: now,
            durationMicros: 1
        )
        _ = try socket.send(WorkerLink.frames(for: [report], on: others.shelf), waiting: true)
        others.inbox.put(.event(.died(post.worker)))
        others.opened.put(true)
        _ = others.done.wait()
    }

    /// Comes back from its run in the moment in which it is given up, and listens.
    @Sendable private static func listenWhenGivenUp(
        _ post: WorkerPost,
        _ others: Others
    ) throws {
        guard post.worker.rawValue == 1 else { return }
        let socket = try ready(post, others)
        _ = post.begin(try order(to: socket, post), KernelRun(), at: RunClock().now())
        try eventually("it is given up") { post.isAbandoned ? () : nil }
        let heard = try eventually("it hears of it") {
            let received = try socket.receive(limits: .unlimited, waiting: false)
            return received == .nothing ? nil : received
        }
        #expect(heard == .message([[]]))
        others.done.put(true)
    }

    /// A broker with one job to run, given to its first worker.
    private func giveJob(
        timeoutMs: Int64,
        to worker: @escaping @Sendable (WorkerPost, Others) throws -> Void,
        _ body: (Others) throws -> Void
    ) throws {
        let others = try Others()
        let ended = Mailbox<Bool>()
        startThread(.broker, ended: { ended.put(true) }) {
            do {
                try run(others) { post in
                    do { try worker(post, others) } catch { Issue.record(error) }
                }
            } catch { Issue.record(error) }
        }
        others.answerSurvey()
        let job = Submission(
            spec: Spec(kind: .compute, body: [], timeoutMs: timeoutMs),
            key: nil,
            fingerprint: 1
        )
        let caller = Caller(client: ClientID(rawValue: [1]), service: [])
        let request = Request.submit([job], isBatch: false, waitMs: nil)
        others.inbox.put(.event(.asked(request, by: caller)))
        guard case .insert(let insertion) = others.change() else {
            Issue.record("nothing is inserted")
            return
        }
        let accepted = Accepted(id: JobID(rawValue: 1), state: .queued, created: true)
        others.inbox.put(.event(.wrote([.inserted(insertion.ticket, [accepted], nil)])))
        try body(others)
        for _ in 0..<3 { others.inbox.put(.event(.stop)) }
        _ = ended.wait()
    }

    @Test func `all that a worker has said is heard before its end`() throws {
        try giveJob(timeoutMs: 60_000, to: Self.sayMuchAndDie) { others in
            let end = others.change()
            if case .settle(let report) = end {
                #expect(report.job == JobID(rawValue: 1))
            } else {
                Issue.record("\(end)")
            }
            others.done.put(true)
        }
    }

    @Test func `a worker that is given up hears of it`() throws {
        try giveJob(timeoutMs: 1, to: Self.listenWhenGivenUp) { others in _ = others.done.wait() }
    }
}
