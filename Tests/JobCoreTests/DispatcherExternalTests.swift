import Testing

@testable import JobCore

@Suite("External workers") struct DispatcherExternalTests {
    private let one = ClientID(rawValue: [1])
    private let two = ClientID(rawValue: [2])

    private func spec(_ kernel: String = "k", timeoutMs: Int64 = 60_000) -> Spec {
        var spec = Spec(kind: .compute, body: [], timeoutMs: timeoutMs)
        spec.skill = kernel
        return spec
    }

    private func ready(_ peer: ClientID, _ kernel: String = "k") -> Event {
        .heardExternal(.ready(kernel: kernel), from: peer)
    }

    private func order(_ decisions: Decisions) -> OrderAddress? {
        decisions.externals.compactMap(\.address).first
    }

    private func reply(_ address: OrderAddress, _ bytes: [UInt8] = [42]) -> ExternalWord {
        .reply(address, Outcome(format: .bytes, bytes: bytes))
    }

    private func fact(_ address: OrderAddress, next: Attempt? = nil) -> Event {
        let waiting = Waiting(
            id: address.job,
            next: next ?? address.attempt.next,
            readyAt: Timestamp(rawValue: 0),
            losses: 1,
            spec: spec()
        )
        return .wrote([.queued(waiting)])
    }

    // MARK: Orders

    @Test func `a job goes to a worker for its kernel alone, and each has one at a time`() throws {
        var stage = Stage()
        #expect(stage.submit(spec()).externals.isEmpty)
        #expect(stage.hear(ready(two, "l")).externals.isEmpty)
        let first = stage.hear(ready(one))
        let address = try #require(order(first))
        #expect(first.externals.map(\.to) == [one] && address.job.rawValue == 1)
        #expect(stage.submit(spec()).externals.isEmpty, "It waits: the worker is busy.")
        let heard = stage.hear(.heardExternal(reply(address), from: one))
        guard case .settle(let report)? = heard.changes.first else {
            Issue.record("nothing is settled")
            return
        }
        #expect(report.hasSucceeded && report.attempt == address.attempt)
        #expect(order(heard)?.job.rawValue == 2)
    }

    @Test func `who has been idle longest has the next job`() throws {
        var stage = Stage()
        stage.hear(ready(one), ready(two))
        #expect(stage.submit(spec()).externals.map(\.to) == [one])
        #expect(stage.submit(spec()).externals.map(\.to) == [two])
    }

    @Test func `a backlog for workers that are not there holds up nobody`() {
        var plan = Stage().dispatcher.plan
        plan.lanes.allJobs = 2
        plan.lanes.turnJobs = 2
        var stage = Stage(plan, workers: 1)
        for _ in 0..<5 { #expect(stage.submit(spec()).orders.isEmpty) }
        let sql = stage.submit(makeSpec())
        #expect(sql.orders.map(\.order.job.rawValue) == [6])
        #expect(stage.dispatcher.lanes.present.count == 2)
    }

    @Test func `such a job never runs before it is written, nor here`() {
        var stage = Stage(workers: 2)
        stage.hear(ready(one))
        let asked = stage.ask(.submit([makeSubmission(spec())], isBatch: false, waitMs: 9))
        #expect(asked.orders.isEmpty && asked.externals.isEmpty)
        #expect(stage.dispatcher.watchEveryMs == nil)
    }

    @Test func `only kernels of the settings have workers, and only so many`() {
        var stage = Stage()
        let go = [ExternalMessage(to: one, .disconnect)]
        #expect(stage.hear(ready(one, "echo")).externals == go)
        #expect(stage.dispatcher.dropped == 1)
        for number in 0..<Limits.externalWorkers {
            let peer = ClientID(rawValue: [3, UInt8(number & 255), UInt8(number >> 8)])
            #expect(stage.hear(ready(peer)).externals.isEmpty)
        }
        #expect(stage.hear(ready(one)).externals == go)
        stage.hear(.heardExternal(.disconnect, from: ClientID(rawValue: [3, 0, 0])))
        #expect(stage.hear(ready(one)).externals.isEmpty)
    }

    @Test func `who comes and goes all day leaves nothing behind`() {
        var stage = Stage()
        stage.hear(ready(two))
        for _ in 0..<1_000 { stage.hear(ready(one), .heardExternal(.disconnect, from: one)) }
        #expect(stage.dispatcher.externals.members.count == 1)
        #expect(stage.dispatcher.externals.isSound)
    }

    @Test func `whether a kernel has a worker is told`() {
        var stage = Stage()
        func isServed() -> [Reply] {
            stage.ask(.isAttached(kernel: "k")).messages.map(\.reply)
        }
        #expect(isServed() == [.served(false)])
        stage.hear(ready(one))
        #expect(isServed() == [.served(true)])
        stage.hear(.heardExternal(.disconnect, from: one))
        #expect(isServed() == [.served(false)])
    }

    @Test func `a job says that no worker is there for it`() throws {
        var stage = Stage()
        stage.submit(spec())
        func shown() throws -> JobDetails {
            let id = JobID(rawValue: 1)
            let asked = stage.ask(.show([id], isBatch: false))
            let retry = RetryPolicy.standard
            let standing = Job.Standing(readyAt: stage.now)
            var details = JobDetails(
                job: Job(id: id, standing: standing, writes: false, retry: retry),
                kind: .compute,
                queue: .standard,
                timeoutMs: 1,
                createdAt: stage.now
            )
            details.skill = "k"
            let ticket = try #require(asked.queries.first?.ticket)
            let told = stage.hear(.answered(ticket, .shown([details], isIssued: [true])))
            guard case .shown(let jobs, _)? = told.messages.first?.reply else { throw Unexpected() }
            return try #require(jobs.first)
        }
        #expect(try shown().lacksWorker)
        stage.hear(ready(one))
        let running = try shown()
        #expect(!running.lacksWorker && running.job.state == .running)
        #expect(running.worker == stage.dispatcher.externals.members.keys.first)
    }

    private struct Unexpected: Error {}

    // MARK: Fences

    @Test func `an answer under another address changes nothing and is counted`() throws {
        var stage = Stage()
        stage.submit(spec())
        let address = try #require(order(stage.hear(ready(one), ready(two))))
        var others = [address, address, address]
        others[0].token &+= 1
        others[1].attempt = address.attempt.next
        others[2].job = JobID(rawValue: 2)
        for (place, other) in others.enumerated() {
            let heard = stage.hear(.heardExternal(reply(other), from: one))
            #expect(heard.changes.isEmpty && heard.externals.isEmpty)
            #expect(stage.dispatcher.dropped == Int64(place + 1))
        }
        #expect(stage.hear(.heardExternal(reply(address), from: two)).changes.isEmpty)
        #expect(stage.hear(.heardExternal(reply(address), from: one)).changes.count == 1)
        #expect(stage.hear(.heardExternal(reply(address), from: one)).changes.isEmpty, "Twice.")
        #expect(stage.dispatcher.dropped == 5)
    }

    @Test func `another start gives the same attempt another address`() throws {
        let plan = Stage().dispatcher.plan
        func address(seed: UInt64) throws -> OrderAddress {
            let about = plan.about
            let other = Dispatcher.Plan(
                about: about,
                startedAt: plan.startedAt,
                drainMs: 1,
                stuckMs: 1,
                reserved: 1...9,
                seed: seed
            )
            var stage = Stage(other, workers: 1)
            stage.submit(spec())
            return try #require(order(stage.hear(ready(one))))
        }
        let (first, second) = (try address(seed: 1), try address(seed: 2))
        #expect(first.job == second.job && first.attempt == second.attempt)
        #expect(first.token != second.token)
    }

    @Test func `who is not known is told to begin anew`() {
        var stage = Stage()
        let go = [ExternalMessage(to: one, .disconnect)]
        let address = OrderAddress(job: JobID(rawValue: 1), attempt: .none.next, token: 1)
        #expect(stage.hear(.heardExternal(.heartbeat, from: one)).externals == go)
        #expect(stage.hear(.heardExternal(reply(address), from: one)).externals == go)
        #expect(stage.hear(.heardExternal(.unreadable, from: one)).externals == go)
        #expect(stage.hear(.heardExternal(.disconnect, from: one)).externals.isEmpty)
        #expect(stage.dispatcher.dropped == 2)
    }

    // MARK: Ends

    @Test(arguments: [ExternalWord.disconnect, .unreadable, .ready(kernel: "k")])
    func `the run of a worker that goes, or begins anew, is lost`(word: ExternalWord) throws {
        var stage = Stage()
        stage.submit(spec())
        let address = try #require(order(stage.hear(ready(one))))
        let heard = stage.hear(.heardExternal(word, from: one))
        guard case .lose(address.job, address.attempt, _, _)? = heard.changes.first else {
            Issue.record("\(heard.changes)")
            return
        }
        // What comes of it has another worker, though a run of it was lost.
        stage.hear(ready(two))
        let again = stage.hear(ready(one), fact(address))
        #expect(order(again)?.attempt == address.attempt.next)
    }

    @Test func `a connection that is gone is a death, an order that was not sent is none`() throws {
        var stage = Stage()
        stage.submit(spec())
        let unsent = try #require(order(stage.hear(ready(one))))
        let back = stage.hear(.unreachable(one, unsent), ready(two))
        #expect(back.changes.isEmpty)
        let address = try #require(order(back))
        #expect(address.attempt == unsent.attempt && address.token != unsent.token)
        let heard = stage.hear(.unreachable(two, nil))
        guard case .lose(address.job, address.attempt, _, _)? = heard.changes.first else {
            Issue.record("\(heard.changes)")
            return
        }
    }

    @Test func `an order that was long on its way and not sent is put back in the store`() throws {
        var stage = Stage()
        stage.hear(ready(one))
        let address = try #require(order(stage.submit(spec())))
        stage.now = stage.now.adding(ms: Crew.recordAfterMs)
        #expect(
            stage.hear(.timePassed).changes.contains { if case .start = $0 { true } else { false } }
        )
        let gone = stage.hear(.unreachable(one, address))
        guard case .settle(let report)? = gone.changes.first else {
            Issue.record("The store has it as running for ever.")
            return
        }
        #expect(report.ending == .putBack && report.job == address.job)
    }

    @Test func `an order that its worker has no more is not told, and is no news of it`() throws {
        var stage = Stage()
        stage.hear(ready(one))
        let given = stage.submit(spec())
        let old = try #require(given.externals.first { $0.address != nil })
        #expect(stage.dispatcher.stillTells(old))
        let again = stage.hear(ready(one))
        #expect(!stage.dispatcher.stillTells(old))
        #expect(stage.dispatcher.stillTells(ExternalMessage(to: one, .disconnect)))
        let address = try #require(old.address)
        let next = try #require(order(again) ?? order(stage.hear(fact(address))))
        #expect(stage.hear(.unreachable(one, address)).changes.isEmpty)
        let heard = stage.hear(.heardExternal(reply(next), from: one))
        #expect(heard.changes.contains { if case .settle = $0 { true } else { false } })
    }

    @Test func `a worker that is stopped with the runner costs its job nothing`() throws {
        var stage = Stage()
        stage.hear(ready(one))
        let address = try #require(order(stage.submit(spec())))
        stage.hear(.stop)
        let gone = stage.hear(.heardExternal(.disconnect, from: one))
        guard case .settle(let report)? = gone.changes.first else {
            Issue.record("A loss is counted.")
            return
        }
        #expect(report.ending == .putBack && report.job == address.job)
    }

    @Test func `a run fails by its worker's own word`() throws {
        var stage = Stage()
        stage.submit(spec())
        let address = try #require(order(stage.hear(ready(one))))
        let failure = Failure(.kernelError, "No.", isPermanent: true)
        let heard = stage.hear(.heardExternal(.failure(address, failure), from: one))
        guard case .settle(let report)? = heard.changes.first else { throw Unexpected() }
        #expect(report.ending == .failed(failure))
    }

    @Test func `a result that is too large fails its job`() throws {
        var limits = Limits()
        limits.resultBytes = 3
        for (bytes, isFit) in [(3, true), (4, false)] {
            var stage = Stage(limits: limits)
            stage.submit(spec())
            let address = try #require(order(stage.hear(ready(one))))
            let result = reply(address, [UInt8](repeating: 1, count: bytes))
            let heard = stage.hear(.heardExternal(result, from: one))
            guard case .settle(let report)? = heard.changes.first else { throw Unexpected() }
            #expect(report.hasSucceeded == isFit)
        }
    }

    @Test func `a job that is called off lets its worker go`() throws {
        var stage = Stage()
        stage.submit(spec())
        let address = try #require(order(stage.hear(ready(one))))
        let end = JobEnd(id: address.job, state: .cancelled, attempt: .none, failure: .calledOff)
        let heard = stage.hear(.wrote([.ended(Ended(end: end))]))
        #expect(heard.externals == [ExternalMessage(to: one, .disconnect)])
        #expect(stage.hear(.heardExternal(reply(address), from: one)).changes.isEmpty)
        #expect(stage.dispatcher.active.isEmpty && stage.dispatcher.stopping.isEmpty)
    }

    @Test func `a stop puts back what they run, and ends`() throws {
        var stage = Stage()
        stage.submit(spec())
        stage.submit(spec())
        let address = try #require(order(stage.hear(ready(one))))
        #expect(stage.hear(.stop).signals.isEmpty)
        let hurried = stage.hear(.stop)
        guard case .settle(let report)? = hurried.changes.first else { throw Unexpected() }
        #expect(report.ending == .putBack && report.job == address.job)
        #expect(hurried.externals == [ExternalMessage(to: one, .disconnect)])
        let done = stage.hear(.wrote([.settled(reports: 1), fact(address).first]))
        #expect(done.signals == [.exit(startAgain: false)])
        #expect(done.externals.isEmpty)
    }

    // MARK: Time

    private func pass(_ stage: inout Stage, ms: Int64) -> Decisions {
        stage.now = stage.now.adding(ms: ms)
        return stage.hear(.timePassed)
    }

    @Test func `who is idle and silent for three heartbeats is gone`() {
        var stage = Stage()
        #expect(stage.dispatcher.nextWake() == nil)
        stage.hear(ready(one))
        let beat = [ExternalMessage(to: one, .heartbeat)]
        for _ in 0..<2 { #expect(pass(&stage, ms: 2_500).externals == beat) }
        stage.hear(.heardExternal(.heartbeat, from: one))
        for _ in 0..<2 { #expect(pass(&stage, ms: 2_500).externals == beat) }
        let gone = pass(&stage, ms: 2_500)
        #expect(gone.externals == [ExternalMessage(to: one, .disconnect)])
        #expect(stage.dispatcher.nextWake() == nil, "Nobody wakes an idle runner.")
    }

    @Test func `who is busy may be silent, and hears heartbeats`() throws {
        var stage = Stage()
        stage.submit(spec())
        stage.hear(ready(one))
        let record = pass(&stage, ms: 20)
        guard case .start? = record.changes.first else { throw Unexpected() }
        for round in 0..<8 {
            #expect(stage.dispatcher.nextWake() == stage.now.adding(ms: round == 0 ? 2_480 : 2_500))
            let heard = pass(&stage, ms: round == 0 ? 2_480 : 2_500)
            #expect(heard.externals == [ExternalMessage(to: one, .heartbeat)])
            #expect(heard.changes.isEmpty)
        }
    }

    @Test func `a run that takes too long fails, and its worker is told to begin anew`() throws {
        var stage = Stage()
        stage.submit(spec(timeoutMs: 100))
        let address = try #require(order(stage.hear(ready(one))))
        #expect(pass(&stage, ms: 99).externals.isEmpty)
        let late = pass(&stage, ms: 1)
        guard case .settle(let report)? = late.changes.first else { throw Unexpected() }
        #expect(report.ending == .failed(.timedOut(afterMs: 100)))
        #expect(late.externals == [ExternalMessage(to: one, .disconnect)])
        #expect(stage.hear(.heardExternal(reply(address), from: one)).changes.isEmpty)
    }
}

extension Event {
    fileprivate var first: Fact {
        guard case .wrote(let facts) = self, let fact = facts.first else {
            preconditionFailure("it is a fact")
        }
        return fact
    }
}
