import JobCore
import SQLite
import Testing

/// What a store answers when there is more than was asked for.
@Suite("Reading a store") struct ReadingTests {
    @Test(arguments: Kind.allCases)
    func `the best jobs are loaded first, and the longest ready of the others`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let low = try store.insert(makeJob(makeSpec(priority: -5)), makeJob(makeSpec(priority: -5)))
        store.now = store.now.adding(ms: 1)
        let high = try store.insert(
            makeJob(makeSpec(priority: 5)),
            makeJob(makeSpec(priority: 5)),
            makeJob(makeSpec(priority: 5))
        )
        let middle = try store.insert(makeJob())
        let some = try store.load(limit: 2)
        #expect(some.jobs.map(\.id) == [high[0], high[1], middle[0], low[0]])
        #expect(!some.isAll)
        let all = try store.load(limit: 6)
        #expect(all.jobs.map(\.id) == high + middle + low)
        #expect(all.isAll)
    }

    @Test(arguments: Kind.allCases)
    func `what needs a turn is loaded apart`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let x = try store.insert(makeJob(makeSpec(writes: "x")), makeJob(makeSpec(writes: "x")))
        let pure = try store.insert(makeJob(), makeJob())
        let y = try store.insert(makeJob(makeSpec(queue: late, writes: "y")))
        let first = Attempt(rawValue: 1)
        for job in [x[1], pure[1]] { _ = try store.commit(.lose(job, first, worker, reason: "")) }
        let lanes = [
            (Lane(.standard), pure[0]), (Lane(.standard, Turns(isSuspect: true)), pure[1]),
            (Lane(.standard, Turns(isSuspect: true, writes: "x")), x[1]),
            (Lane(.standard, Turns(writes: "x")), x[0]), (Lane(late, Turns(writes: "y")), y[0]),
        ]
        guard case .surveyed(let survey) = try store.ask(.survey(now: store.now)) else { return }
        #expect(Set(survey.ready) == Set(lanes.map(\.0)))
        for (lane, job) in lanes {
            let loaded = try store.load(lane.queue, lane.turns)
            #expect(loaded.jobs.map(\.id) == [job])
            #expect(loaded.jobs.map(\.lane) == [lane])
        }
        #expect(try store.details(x[0]).writes == "x")
    }

    @Test(arguments: Kind.allCases)
    func `what external workers run stands apart, also after a loss`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        var spec = makeSpec(#"{"kernel":"shout"}"#)
        spec.kind = .compute
        spec.skill = "shout"
        let jobs = try store.insert(makeJob(spec), makeJob(spec), makeJob())
        let first = Attempt(rawValue: 1)
        let facts = try store.commit(.lose(jobs[1], first, worker, reason: "It went."))
        let lane = Lane(.standard, Turns(skill: "shout"))
        let loaded = try store.load(.standard, lane.turns)
        #expect(loaded.jobs.map(\.id) == Array(jobs.prefix(2)))
        #expect(loaded.jobs.map(\.lane) == [lane, lane] && loaded.jobs[1].losses == 1)
        #expect(facts == [.queued(loaded.jobs[1])])
        #expect(try store.load().jobs.map(\.id) == [jobs[2]])
        guard case .surveyed(let survey) = try store.ask(.survey(now: store.now)) else { return }
        #expect(Set(survey.ready) == [Lane(.standard), lane])
        #expect(try store.details(jobs[1]).skill == "shout")
        #expect(try store.details(jobs[2]).skill == nil)
    }

    @Test(arguments: Kind.allCases)
    func `a load is bounded in bytes too`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        var spec = makeSpec()
        spec.kind = .compute
        spec.frames = [Spec.Frame(number: 2, bytes: Array(repeating: 1, count: 5 << 20))]
        let ids = try store.insert(makeJob(spec), makeJob(spec), makeJob(spec))
        let loaded = try store.load()
        #expect(loaded.jobs.map(\.id) == Array(ids.prefix(2)))
        #expect(!loaded.isAll)
        let others = try store.load(except: Set(ids.prefix(2)))
        #expect(others.jobs.map(\.id) == Array(ids.suffix(1)))
        #expect(others.isAll)
    }

    @Test(arguments: Kind.allCases)
    func `any piece of a large result can be read`(kind: Kind) throws {
        var limits = Limits()
        limits.replyBytes = 3 << 20
        let store = try StoreUnderTest(kind, limits: limits)
        let id = try store.insert(makeJob())[0]
        let size = (4 << 20) + 17
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 5) }
        let outcome = Outcome(format: .bytes, bytes: bytes)
        _ = try store.commit(.settle(makeReport(id, 1, .succeeded(outcome))))

        let pieces: [(offset: Int, limit: Int?, expected: Range<Int>)] = [
            (0, 10, 0..<10), ((1 << 20) - 1, 2, (1 << 20) - 1..<(1 << 20) + 1),
            (1 << 20, 1 << 20, 1 << 20..<2 << 20), (size - 5, nil, size - 5..<size),
            (size, nil, size..<size), (size + 9, 4, size..<size), (-3, 2, 0..<2),
            (7, -1, 7..<7), (0, nil, 0..<3 << 20),
        ]
        for piece in pieces {
            let range = ByteRange(
                offset: Int64(piece.offset),
                limit: piece.limit.map(Int64.init)
            )
            guard case .result(let result?, _) = try store.ask(.result(id, range)) else {
                Issue.record("no result")
                return
            }
            #expect(result.bytes == Array(bytes[piece.expected]), "\(piece)")
            #expect(result.offset == Int64(piece.expected.lowerBound))
            #expect(result.head == outcome.head)
        }
    }

    @Test(arguments: Kind.allCases, [0, 1, (1 << 20) + 1])
    func `what a command said beside its result comes back with it, and goes with it`(
        kind: Kind,
        size: Int
    ) throws {
        let store = try StoreUnderTest(kind)
        var command = makeSpec()
        command.kind = .command
        let ids = try store.insert(makeJob(command), makeJob(command), makeJob())
        let bytes = [UInt8](repeating: 65, count: size)
        let outcomes = [
            Outcome(format: .text, bytes: bytes, stderr: "Ä\u{0}\n"),
            Outcome(format: .bytes, bytes: bytes, stderr: ""),
            Outcome(format: .bytes, bytes: bytes),
        ]
        for (id, outcome) in zip(ids, outcomes) {
            _ = try store.commit(.settle(makeReport(id, 1, .succeeded(outcome))))
            guard case .result(let result?, _) = try store.ask(.result(id, .whole)) else {
                Issue.record("no result")
                return
            }
            #expect(result.head == outcome.head)
            #expect(result.head?.exitCode == (outcome.stderr == nil ? nil : 0))
            #expect(result.bytes == bytes)
            #expect(try store.details(id).result == outcome.head)
        }
        _ = try store.commit(.delete(ids, store.ticket()))
        guard let path = store.directory?.store else { return }
        let left = try Connection(path: path, mode: .readOnly)
            .row("SELECT count(*) FROM result_parts")
        #expect(left?.first == .integer(0))
    }

    @Test(arguments: Kind.allCases, [0, 1, 1 << 20, (1 << 20) + 1])
    func `a result of any size comes back`(kind: Kind, size: Int) throws {
        let store = try StoreUnderTest(kind)
        let id = try store.insert(makeJob())[0]
        let outcome = Outcome(format: .bytes, bytes: Array(repeating: 7, count: size))
        _ = try store.commit(.settle(makeReport(id, 1, .succeeded(outcome))))
        guard case .result(let result?, _) = try store.ask(.result(id, .whole)) else {
            Issue.record("no result")
            return
        }
        #expect(result.bytes == outcome.bytes)
        _ = try store.commit(.delete([id], store.ticket()))
        #expect(try store.ask(.result(id, .whole)) == .result(nil, isIssued: true))
    }

    @Test(arguments: Kind.allCases)
    func `lists go from the newest to the oldest, page by page`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let ids = try store.insert(all: (0..<7).map { _ in makeJob() })
        try store.insert(makeJob(makeSpec(queue: late)))
        _ = try store.commit(.cancel([Target(ids[1]), Target(ids[4])], store.ticket()))

        let filter = JobFilter(queue: .standard)
        #expect(try pages(of: filter, limit: 3, in: store) == ids.reversed())
        let cancelled = JobFilter(state: .cancelled)
        #expect(try pages(of: cancelled, limit: 1, in: store) == [ids[4], ids[1]])
        #expect(try pages(of: JobFilter(kind: .compute), limit: 9, in: store) == [])
        let selected = Query.select(JobFilter(state: .queued), after: ids[0], limit: 3)
        #expect(try store.ask(selected) == .selected([ids[2], ids[3], ids[5]], next: ids[5]))
        let all = Query.select(cancelled, after: nil, limit: 9)
        #expect(try store.ask(all) == .selected([ids[1], ids[4]], next: nil))
    }

    @Test(arguments: [Kind.memory, .file])
    func `what is told of jobs at once is bounded in bytes`(kind: Kind) throws {
        var limits = Limits()
        limits.replyBytes = 10_000
        let store = try StoreUnderTest(kind, limits: limits)
        var spec = makeSpec()
        spec.tags = Array(repeating: String(repeating: "\u{1}", count: 200), count: 3)
        let ids = try store.insert(all: (0..<5).map { _ in makeJob(spec) })
        guard case .unreadable(let refusal) = try store.ask(.show(ids)) else {
            Issue.record("all was shown")
            return
        }
        #expect(refusal.code == "too_large")
        for id in ids { #expect(try store.details(id).tags == spec.tags) }
        guard
            case .listed(let page, let next) = try store.ask(
                .list(JobFilter(), after: nil, limit: 9)
            )
        else { return }
        #expect(page.map(\.job.id) == [ids[4], ids[3]])
        #expect(next == ids[3])
        #expect(try pages(of: JobFilter(), limit: 9, in: store) == ids.reversed())
    }

    @Test(arguments: [Kind.memory, .file])
    func `the last hundred attempts are told`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        var spec = makeSpec()
        spec.retry.maxAttempts = 100
        let id = try store.insert(makeJob(spec))[0]
        for attempt in 1...130 {
            if attempt == 101 { _ = try store.commit(.retry([id], store.ticket())) }
            _ = try store.commit(
                .settle(makeReport(id, attempt, .failed(Failure(.kernelError, "No."))))
            )
        }
        let told = try store.details(id).pastAttempts.map(\.attempt.rawValue)
        #expect(told == Array(31...130))
    }

    private func pages(
        of filter: JobFilter,
        limit: Int,
        in store: StoreUnderTest
    ) throws -> [JobID] {
        var ids: [JobID] = []
        var after: JobID?
        repeat {
            guard
                case .listed(let page, let next) = try store.ask(
                    .list(filter, after: after, limit: limit)
                )
            else { throw StoreUnderTest.Missing() }
            #expect(page.count <= limit)
            ids += page.map(\.job.id)
            after = next
        } while after != nil
        return ids
    }

    @Test(arguments: Kind.allCases)
    func `the longest wait is that of the job that has been ready longest`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        try store.insert(makeJob(makeSpec(priority: -1, queue: late)))
        store.now = store.now.adding(ms: 250)
        try store.insert(makeJob(), makeJob(start: .after(ms: 9)))
        guard case .statistics(let statistics) = try store.ask(.statistics(now: store.now)) else {
            return
        }
        #expect(statistics.oldestWaitingMs == 250)
        #expect(statistics.counts.queued == 3)
    }
}
