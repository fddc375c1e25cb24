import JobCore
import Testing

/// Old jobs go with all that belongs to them, and nothing else goes.
@Suite("Expiry") struct ExpiryTests {
    private let retention = Retention()

    private func expired(_ store: StoreUnderTest, after: JobID? = nil) throws -> [JobID] {
        guard
            case .expired(let jobs, _) = try store.ask(
                .expired(retention, after: after, now: store.now)
            )
        else { throw StoreUnderTest.Missing() }
        return jobs
    }

    private func expire(_ store: StoreUnderTest, _ jobs: [JobID]) throws -> Int {
        let facts = try store.commit(.expire(jobs, retention, store.ticket()))
        guard case .changed(_, let count, nil)? = facts.first else {
            throw StoreUnderTest.Missing()
        }
        return count
    }

    private func isGone(_ id: JobID, _ store: StoreUnderTest) throws -> Bool {
        try store.ask(.ends([id])) == .ends([nil], isIssued: [true])
    }

    @Test(arguments: Kind.allCases)
    func `what has ended long ago goes, and what waits or runs stays`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let keyed = try store.insert(makeJob(key: "k"))[0]
        let ids = [keyed] + (try store.insert(makeJob(), makeJob(), makeJob(), makeJob()))
        _ = try store.commit(
            .settle(makeReport(ids[0], 1, success())),
            .settle(makeReport(ids[1], 1, .failed(mistake))),
            .cancel([Target(ids[2])], store.ticket()),
            .start(ids[3], Attempt(rawValue: 1), worker, at: store.now)
        )
        store.now = store.now.adding(ms: retention.succeededMs - 1)
        #expect(try expired(store) == [])
        #expect(try expire(store, ids) == 0)
        store.now = store.now.adding(ms: 1)
        #expect(try expired(store) == [ids[0]])
        #expect(try expire(store, ids) == 1)
        #expect(try isGone(ids[0], store))
        #expect(try store.ask(.result(ids[0], .whole)) == .result(nil, isIssued: true))

        store.now = store.now.adding(ms: retention.failedMs)
        #expect(try expired(store) == [ids[1], ids[2]])
        #expect(try expired(store, after: ids[1]) == [ids[2]])
        #expect(try expire(store, ids) == 2)
        let counts = try store.counts()
        #expect((counts.queued, counts.running, counts.succeeded) == (1, 1, 0))
        #expect((counts.failed, counts.cancelled) == (0, 0))
        // Its key can be used again.
        #expect(try store.insert(makeJob(key: "k", fingerprint: 2))[0] > ids[4])
    }

    @Test(arguments: Kind.allCases)
    func `a job that was retried meanwhile stays`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let id = try store.insert(makeJob())[0]
        _ = try store.commit(.settle(makeReport(id, 1, .failed(mistake))))
        store.now = store.now.adding(ms: retention.failedMs)
        let found = try expired(store)
        _ = try store.commit(.retry([id], store.ticket()))
        #expect(found == [id])
        #expect(try expire(store, found) == 0)
        #expect(try store.state(id) == .queued)
    }

    @Test(arguments: Kind.allCases)
    func `a job's own wish wins`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        var (short, long) = (makeSpec(), makeSpec())
        short.keepMs = 0
        long.keepMs = retention.succeededMs + 1
        let ids = try store.insert(makeJob(short), makeJob(long))
        for id in ids { _ = try store.commit(.settle(makeReport(id, 1, success()))) }
        #expect(try expired(store) == [ids[0]])
        store.now = store.now.adding(ms: retention.succeededMs)
        #expect(try expired(store) == [ids[0]])
        #expect(try expire(store, ids) == 1)
        store.now = store.now.adding(ms: 1)
        #expect(try expire(store, ids) == 1)
    }

    @Test(arguments: Kind.allCases)
    func `parts go with their parent and never before`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let id = try store.insert(makeJob(makeSpec(parts: 2)))[0]
        let parts = [Part(body: [1]), Part(body: [2])]
        let children = store.ids(2)
        let report = makeReport(id, 1, .split(parts))
        _ = try store.commit(.split(report, parts: parts, ids: children))
        let childIDs = children.map(JobID.init)
        for child in childIDs { _ = try store.commit(.settle(makeReport(child, 1, success()))) }
        store.now = store.now.adding(ms: retention.failedMs)
        #expect(try expired(store) == [])
        #expect(try expire(store, childIDs + [id]) == 0)
        _ = try store.commit(.settle(makeReport(id, 2, success())))
        store.now = store.now.adding(ms: retention.succeededMs)
        #expect(try expired(store) == [id])
        #expect(try expire(store, [id]) == 1)
        for child in childIDs { #expect(try isGone(child, store)) }
        #expect(try store.ask(.gather(id)) == .gathered(id, []))
    }

    @Test(arguments: Kind.allCases)
    func `jobs of a file stay until its results lie beside it`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let row = TakenFile.Row(name: "a.sql", takenAs: "1-1-a.sql", bytes: 9, digest: "00")
        let insertion = store.insertion([makeJob(), makeJob()], file: row)
        let facts = try store.commit(.insert(insertion))
        guard case .inserted(_, let accepted, let file?)? = facts.first else {
            throw StoreUnderTest.Missing()
        }
        let ids = accepted.map(\.id)
        for id in ids { _ = try store.commit(.settle(makeReport(id, 1, success()))) }
        store.now = store.now.adding(ms: retention.succeededMs)
        #expect(try expire(store, ids) == 0)
        _ = try store.commit(.closeFile(file))
        #expect(try expire(store, [ids[0]]) == 1)
        // As long as one is there, so is the file: it is not taken twice.
        let again = store.insertion([makeJob(), makeJob()], file: row)
        guard case .inserted(_, let known, file)? = try store.commit(.insert(again)).first else {
            throw StoreUnderTest.Missing()
        }
        #expect(known.map(\.created) == [false, false])
        #expect(try expire(store, ids) == 1)
        let anew = store.insertion([makeJob(), makeJob()], file: row)
        guard case .inserted(_, let fresh, _?)? = try store.commit(.insert(anew)).first else {
            throw StoreUnderTest.Missing()
        }
        #expect(fresh.map(\.created) == [true, true])
    }

    @Test func `a large store is walked in small steps`() throws {
        let store = try StoreUnderTest(.memory)
        let count = 21_000
        for _ in 0..<(count / 1_000) {
            try store.insert(all: Array(repeating: makeJob(), count: 1_000))
        }
        // Every third has ended.
        let ended = (1...Int64(count)).filter { $0.isMultiple(of: 3) }.map(JobID.init)
        for start in stride(from: 0, to: ended.count, by: 500) {
            let some = ended[start..<min(start + 500, ended.count)]
            _ = try store.commit(all: some.map { .settle(makeReport($0, 1, success())) })
        }
        store.now = store.now.adding(ms: retention.succeededMs)
        var removed: [JobID] = []
        var after: JobID?
        var steps = 0
        repeat {
            guard
                case .expired(let jobs, let next) = try store.ask(
                    .expired(retention, after: after, now: store.now)
                )
            else { throw StoreUnderTest.Missing() }
            #expect(jobs.count <= 200)
            #expect(try expire(store, jobs) == jobs.count)
            removed += jobs
            after = next
            steps += 1
        } while after != nil
        #expect(removed == ended)
        #expect(steps == 35, "7 000 jobs in steps of 200")
        let counts = try store.counts()
        #expect((counts.queued, counts.succeeded) == (14_000, 0))
        // A store without old jobs is looked at 10 000 at a time.
        guard
            case .expired([], let next) = try store.ask(
                .expired(retention, after: nil, now: store.now)
            )
        else { throw StoreUnderTest.Missing() }
        #expect(next == JobID(rawValue: 14_999))
    }
}
