import JobCore
import Testing

/// Jobs that belong together: parts of a divided one, and those of one file.
@Suite("Families of jobs") struct FamilyTests {
    /// A divided job with its three children.
    private func divide(
        _ store: StoreUnderTest
    ) throws -> (parent: JobID, children: [JobID], facts: [Fact]) {
        let parent = try store.insert(makeJob(makeSpec(priority: 4, queue: late, parts: 3)))[0]
        let parts = ["a", "b", "c"].map {
            Part(body: Array($0.utf8), frames: [Spec.Frame(number: 2, bytes: [9])])
        }
        let report = makeReport(parent, 1, .split(parts))
        let facts = try store.commit(.split(report, parts: parts, ids: store.ids(3)))
        return (parent, (1...3).map { JobID(rawValue: parent.rawValue + $0) }, facts)
    }

    @Test(arguments: Kind.allCases)
    func `a divided job waits for its children, which stay hidden`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let (parent, children, facts) = try divide(store)
        let loaded = try store.load(late).jobs
        #expect(facts == [.split(parent, children: loaded)])
        #expect(loaded.map(\.id) == children)
        #expect(loaded.map(\.spec.body) == [[97], [98], [99]])
        #expect(loaded.allSatisfy { $0.spec.priority == 4 && $0.spec.parts == 1 })
        #expect(try store.details(parent).progress == Progress(done: 0, total: 3))
        #expect(try store.details(parent).job.waitsFor == 3)
        #expect(try store.counts().queued == 1)
        let select = Query.select(JobFilter(), after: nil, limit: 9)
        #expect(try store.ask(select) == .selected([parent], next: nil))
        guard case .listed(let listed, _) = try store.ask(.list(JobFilter(), after: nil, limit: 9))
        else { return }
        #expect(listed.map(\.job.id) == [parent])
    }

    @Test(arguments: Kind.allCases)
    func `parts that share a frame are read with the same bytes`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        var spec = makeSpec(queue: late, parts: 3)
        spec.frames = [
            Spec.Frame(number: 2, bytes: [UInt8](repeating: 7, count: 1 << 20)),
            Spec.Frame(number: 3, bytes: [1]),
        ]
        let parent = try store.insert(makeJob(spec))[0]
        let parts = sharingParts(3, of: spec)
        let report = makeReport(parent, 1, .split(parts))
        let facts = try store.commit(.split(report, parts: parts, ids: store.ids(3)))
        let loaded = try store.load(late).jobs
        #expect(facts == [.split(parent, children: loaded)])
        #expect(loaded.map(\.spec.frames) == parts.map(\.frames))
        let places = loaded.map { $0.spec.frames[0].bytes.withUnsafeBytes(\.baseAddress) }
        #expect(Set(places).count == 1)
        // Tried again, a part has it still.
        let failed = try store.commit(.settle(makeReport(loaded[1].id, 1, .failed(glitch))))
        guard case .queued(let again)? = failed.last else {
            Issue.record("\(failed)")
            return
        }
        #expect(again.spec == loaded[1].spec)
    }

    @Test(arguments: Kind.allCases)
    func `when the last child has succeeded the parent runs once more`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let (parent, children, _) = try divide(store)
        for (child, text) in zip(children.reversed(), ["3", "2"]) {
            let facts = try store.commit(.settle(makeReport(child, 1, success(text))))
            #expect(facts.count == 1)
        }
        #expect(try store.details(parent).progress == Progress(done: 2, total: 3))
        let facts = try store.commit(.settle(makeReport(children[0], 1, success("1"))))
        guard facts.count == 2, case .queued(let waiting) = facts[1] else {
            Issue.record("\(facts)")
            return
        }
        #expect(waiting.id == parent)
        #expect(waiting.isSplit)
        #expect(waiting.next == Attempt(rawValue: 2))
        let bytes = ["1", "2", "3"].map { Array($0.utf8) }
        #expect(try store.ask(.gather(parent)) == .gathered(parent, bytes))
        _ = try store.commit(.settle(makeReport(parent, 2, success())))
        #expect(try store.state(parent) == .succeeded)
        #expect(try store.details(parent).progress == Progress(done: 3, total: 3))
    }

    @Test(arguments: Kind.allCases)
    func `what cannot be put together fails, once it waits for that`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let (parent, children, _) = try divide(store)
        #expect(try store.commit(.spoilWhole(parent, part: 2)) == [])
        for child in children { _ = try store.commit(.settle(makeReport(child, 1, success()))) }
        let end = JobEnd(
            id: parent,
            state: .failed,
            attempt: Attempt(rawValue: 1),
            failure: .damagedResult.ofPart(2)
        )
        #expect(try store.commit(.spoilWhole(parent, part: 2)) == [.ended(Ended(end: end))])
        #expect(try store.commit(.spoilWhole(parent, part: 2)) == [])
        #expect(try store.details(parent).failure == end.failure)
        // Tried again, it begins with nothing.
        _ = try store.commit(.retry([parent], Ticket(rawValue: 9)))
        #expect(try store.load(late).jobs.map(\.isSplit) == [false])
        #expect(try store.commit(.spoilWhole(parent, part: 2)) == [])
    }

    @Test(arguments: Kind.allCases)
    func `the first child that fails takes the whole with it`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let (parent, children, _) = try divide(store)
        let start = Change.start(children[0], Attempt(rawValue: 1), worker, at: store.now)
        _ = try store.commit(start)
        let facts = try store.commit(.settle(makeReport(children[1], 1, .failed(mistake))))
        let ends = facts.compactMap { fact -> JobEnd? in
            guard case .ended(let ended) = fact else { return nil }
            return ended.end
        }
        #expect(ends.map(\.id) == [children[1], parent, children[0], children[2]])
        #expect(ends.map(\.state) == [.failed, .failed, .cancelled, .cancelled])
        #expect(ends[1].failure?.code == mistake.code)
        #expect(ends[1].failure?.message == "Part 2: \(mistake.message)")
        let late = try store.commit(.settle(makeReport(children[0], 1, success())))
        #expect(late == [.cameLate(children[0], Attempt(rawValue: 1))])
        #expect(try store.ask(.survey(now: store.now)) == .surveyed(Survey()))
    }

    @Test(arguments: Kind.allCases)
    func `children end with their parent, and are gone when it runs again`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let (parent, children, _) = try divide(store)
        _ = try store.commit(.cancel([Target(parent)], store.ticket()))
        for id in [parent] + children { #expect(try store.state(id) == .cancelled) }
        let ticket = store.ticket()
        let unfit = Unfit.wrongState(children[0], .cancelled)
        for change in [Change.retry([children[0]], ticket), .delete([children[0]], ticket)] {
            #expect(try store.commit(change) == [.changed(ticket, count: 0, unfit: unfit)])
        }
        _ = try store.commit(.retry([parent], ticket))
        #expect(
            try store.ask(.ends(children))
                == .ends([nil, nil, nil], isIssued: [true, true, true])
        )
        let again = try store.load(late).jobs
        #expect(again.map(\.id) == [parent])
        #expect(again.map(\.isSplit) == [false])
    }

    @Test(arguments: Kind.allCases)
    func `parts are bounded as jobs are, and one job can always be divided`(kind: Kind) throws {
        var limits = Limits()
        limits.waitingJobs = 4
        let store = try StoreUnderTest(kind, limits: limits)
        let (first, children, _) = try divide(store)
        let second = try store.insert(makeJob(makeSpec(queue: late, parts: 2)))[0]
        let parts = [Part(body: []), Part(body: [])]
        let split = Change.split(
            makeReport(second, 1, .split(parts)),
            parts: parts,
            ids: store.ids(2)
        )
        let crowded = try store.commit(split)
        guard case .queued(let waiting)? = crowded.first else {
            Issue.record("\(crowded)")
            return
        }
        #expect(waiting.readyAt == store.now.adding(ms: Job.crowdedMs))
        #expect(waiting.next == Attempt(rawValue: 2))
        _ = try store.commit(.settle(makeReport(children[0], 1, success())))
        let again = Change.split(
            makeReport(second, 2, .split(parts)),
            parts: parts,
            ids: store.ids(2)
        )
        #expect(
            try store.commit(again).last
                == .split(second, children: try store.load(late).jobs.filter { $0.id > second })
        )
        _ = try store.commit(.cancel([Target(first), Target(second)], store.ticket()))
        let (whole, many) = (
            try store.insert(makeJob(makeSpec(queue: late, parts: 6)))[0],
            (0..<6).map { _ in Part(body: []) }
        )
        let large = Change.split(makeReport(whole, 1, .split(many)), parts: many, ids: store.ids(6))
        guard case .split? = try store.commit(large).last else {
            Issue.record("A job of many parts is never divided.")
            return
        }
        #expect(try store.counts().open == 1)
    }

    @Test(arguments: Kind.allCases)
    func `parts come before all that came after their parent`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let jobs = try store.insert(
            makeJob(makeSpec(queue: late, parts: 2)),
            makeJob(makeSpec(queue: late, parts: 2))
        )
        let parts = [Part(body: []), Part(body: [])]
        let report = makeReport(jobs[0], 1, .split(parts))
        store.now = store.now.adding(ms: 50)
        _ = try store.commit(.split(report, parts: parts, ids: store.ids(2)))
        #expect(try store.load(late).jobs.map(\.id.rawValue) == [3, 4, 2])
    }

    @Test(arguments: Kind.allCases)
    func `a job is divided once`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let (parent, _, _) = try divide(store)
        let parts = [Part(body: [])]
        let report = makeReport(parent, 2, .split(parts))
        let facts = try store.commit(.split(report, parts: parts, ids: store.ids(1)))
        #expect(facts == [.cameLate(parent, Attempt(rawValue: 2))])
    }

    // MARK: - Files

    private let row = TakenFile.Row(name: "a.sql", takenAs: "1-1-a.sql", bytes: 4, digest: "ab")

    @Test(arguments: Kind.allCases)
    func `a file is taken once, however often it is told`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let first = store.insertion([makeJob(), makeJob(key: "k")], file: row)
        let facts = try store.commit(.insert(first))
        guard case .inserted(_, let accepted, let file?)? = facts.first else {
            Issue.record("\(facts)")
            return
        }
        _ = try store.commit(.settle(makeReport(accepted[0].id, 1, success())))
        let again = store.insertion(first.jobs, file: row)
        let before = [
            Accepted(id: accepted[0].id, state: .succeeded, created: false),
            Accepted(id: accepted[1].id, state: .queued, created: false),
        ]
        #expect(try store.commit(.insert(again)) == [.inserted(again.ticket, before, file)])
        #expect(try store.counts().queued == 1)
    }

    @Test(arguments: Kind.allCases)
    func `no file gets the number of one that is gone`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        var numbers: [FileID] = []
        for _ in 1...3 {
            let facts = try store.commit(.insert(store.insertion([makeJob()], file: row)))
            guard case .inserted(_, let accepted, let file?)? = facts.first else { return }
            #expect(!numbers.contains(file))
            numbers.append(file)
            _ = try store.commit(.settle(makeReport(accepted[0].id, 1, success())))
            _ = try store.commit(.closeFile(file))
            _ = try store.commit(.delete([accepted[0].id], store.ticket()))
        }
        #expect(numbers.count == 3)
    }

    @Test(arguments: Kind.allCases)
    func `a file ends with its last job, and again after a retry`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let insertion = store.insertion([makeJob(), makeJob()], file: row)
        let facts = try store.commit(.insert(insertion))
        guard case .inserted(_, let accepted, let file?)? = facts.first else {
            Issue.record("\(facts)")
            return
        }
        let ids = accepted.map(\.id)
        #expect(try store.commit(.settle(makeReport(ids[0], 1, .failed(mistake)))).count == 1)
        let last = try store.commit(.settle(makeReport(ids[1], 1, success())))
        #expect(last.last == .fileEnded(file))
        #expect(try store.commit(.closeFile(file)) == [])
        _ = try store.commit(.retry([ids[0]], store.ticket()))
        let again = try store.commit(.settle(makeReport(ids[0], 2, success())))
        #expect(again.last == .fileEnded(file))
    }

    @Test(arguments: Kind.allCases)
    func `a file with nothing new ends at once`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        try store.insert(makeJob(key: "k"))
        let insertion = store.insertion([makeJob(key: "k")], file: row)
        let facts = try store.commit(.insert(insertion))
        guard case .inserted(_, _, let file?)? = facts.first else {
            Issue.record("\(facts)")
            return
        }
        #expect(facts.dropFirst() == [.fileEnded(file)])
    }
}
