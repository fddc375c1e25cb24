import JobCore
import JobTesting
import SQLite
import Testing

@testable import JobStorage

/// Files that are written in pieces: nobody sees one of their jobs before the last is written.
@Suite("Files in pieces") struct StageTests {
    private let row = LargeFile.row

    private struct Told: Equatable {
        let ids: [JobID]
        let isNew: Bool
        let isAll: Bool
    }

    private func ready(_ store: StoreUnderTest) throws -> [JobID]? {
        let query = Query.load(Lane(.standard), limit: 10_000, now: store.now)
        guard case .loaded(_, let jobs, _, _) = try store.ask(query) else { return nil }
        return jobs.map(\.id)
    }

    private func listed(_ store: StoreUnderTest) throws -> [JobID]? {
        let query = Query.list(JobFilter(), after: nil, limit: 1_000)
        guard case .listed(let jobs, _) = try store.ask(query) else { return nil }
        return jobs.map(\.job.id)
    }

    @Test(arguments: Kind.allCases)
    func `all jobs of a file are seen at once, and ready in steps`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let before = try store.insert(makeJob())
        let file = LargeFile(of: 2_500, in: store)
        let after = try store.insert(makeJob())
        for place in [0, 1_000] {
            let facts = try store.commit(file.piece(makeJobs(1_000), at: place))
            guard case .staged(_, let accepted, file.file, isAll: false)? = facts.first else {
                Issue.record("not staged: \(facts)")
                return
            }
            #expect(accepted.map(\.id) == Array(file.all[place..<(place + 1_000)]))
            try checkUnseen(file, in: store, beside: after + before)
        }
        let facts = try store.commit(file.piece(makeJobs(500), at: 2_000))
        guard case .staged(_, _, file.file, isAll: true)? = facts.first else {
            Issue.record("not staged: \(facts)")
            return
        }
        #expect(try store.counts().queued == 2_502)
        #expect(try listed(store)?.count == 1_000)
        #expect(try ready(store) == before + after)
        #expect(try store.details(file.all[7]).job.waitsFor == 0, "shown as it will be")
        try store.checkUp()
        for step in 1...3 {
            let facts = try store.commit(.release(file.file))
            #expect(facts == [.released(file.file, isAll: step == 3)])
            #expect(try ready(store)?.count == min(2_500, step * 1_000) + 2)
            try store.checkUp()
        }
        #expect(try store.commit(.release(file.file)) == [.released(file.file, isAll: true)])
        #expect(try ready(store)?.sorted() == before + file.all + after)
    }

    private func checkUnseen(
        _ file: LargeFile,
        in store: StoreUnderTest,
        beside others: [JobID]
    ) throws {
        let some = [file.all[0], file.all[999], file.all[2_499]]
        let none = Array(repeating: false, count: some.count)
        #expect(try store.ask(.show(some)) == .shown([nil, nil, nil], isIssued: none))
        #expect(try store.ask(.ends(some)) == .ends([nil, nil, nil], isIssued: none))
        #expect(try store.ask(.owners(some)) == .owners([nil, nil, nil], isIssued: none))
        #expect(try store.ask(.result(some[0], .whole)) == .result(nil, isIssued: false))
        #expect(try listed(store) == others)
        let query = Query.select(JobFilter(), after: nil, limit: 10)
        #expect(try store.ask(query) == .selected(others.sorted(), next: nil))
        #expect(try store.counts().queued == 2)
        #expect(try ready(store) == others.sorted())
        let touch: [Change] = [
            .cancel([Target(some[0])], store.ticket()), .delete([some[0]], store.ticket()),
            .retry([some[0]], store.ticket()), .close([Target(some[0])], store.ticket()),
        ]
        for case .changed(_, let count, let unfit) in try store.commit(all: touch) {
            #expect(count == 0)
            #expect(unfit == .unknown(some[0]))
        }
        try store.checkUp()
    }

    @Test(arguments: Kind.allCases)
    func `a piece that comes again has the ids that it had`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let file = LargeFile(of: 3, in: store)
        let pieces = [[makeJob(key: "a"), makeJob()], [makeJob()]]
        _ = try store.commit(file.piece(pieces[0], at: 0))
        let again = LargeFile(of: 3, in: store)
        func tell(_ jobs: [Submission], _ place: Int) throws -> Told? {
            guard
                case .staged(_, let accepted, _, let isAll)? = try store.commit(
                    again.piece(jobs, at: place)
                ).first
            else { return nil }
            let isNew = accepted.contains(where: \.created)
            return Told(ids: accepted.map(\.id), isNew: isNew, isAll: isAll)
        }
        let (early, late) = (Array(file.all[..<2]), Array(file.all[2...]))
        #expect(try tell(pieces[0], 0) == Told(ids: early, isNew: false, isAll: false))
        #expect(try tell(pieces[1], 2) == Told(ids: late, isNew: true, isAll: true))
        #expect(try tell(pieces[0], 0) == Told(ids: early, isNew: false, isAll: false))
        #expect(try tell(pieces[1], 2) == Told(ids: late, isNew: false, isAll: true))
        #expect(try store.counts().queued == 3)
    }

    @Test(arguments: Kind.allCases)
    func `what does not fit is refused, and changes nothing`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let known = try store.insert(makeJob(key: "known", fingerprint: 1))
        let file = LargeFile(of: 4, in: store)
        let first = [makeJob(key: "known", fingerprint: 1), makeJob(key: "k")]
        let facts = try store.commit(file.piece(first, at: 0))
        guard case .staged(_, let accepted, _, _)? = facts.first else { return }
        #expect(accepted.map(\.id) == known + [file.all[1]])
        var other = row
        other.digest = "ff"
        let changed = LargeFile(other, ids: file.ids, in: store)
        let cases: [(Change, String)] = [
            (file.piece([makeJob(key: "k")], at: 2), "duplicate_key"),
            (file.piece([makeJob(key: "known", fingerprint: 2)], at: 2), "key_conflict"),
            (file.piece(makeJobs(1), at: 3), "file_changed"),
            (changed.piece(makeJobs(1), at: 2), "file_changed"),
            (.insert(store.insertion([makeJob(key: "k")])), "busy"),
            (.insert(store.insertion(makeJobs(1), file: row)), "file_changed"),
        ]
        for (change, code) in cases { #expect(refusal(try store.commit(change)) == code) }
        #expect(try store.counts().queued == 1)
        _ = try store.commit(file.piece(makeJobs(2), at: 2))
        #expect(try store.counts().queued == 4, "one of the four was there before")
        try store.checkUp()
    }

    @Test(arguments: Kind.allCases)
    func `jobs that nobody sees count for the limit of jobs that wait`(kind: Kind) throws {
        var limits = Limits()
        limits.waitingJobs = 5
        let store = try StoreUnderTest(kind, limits: limits)
        let file = LargeFile(of: 5, in: store)
        _ = try store.commit(file.piece(makeJobs(3), at: 0))
        #expect(refusal(try store.commit(.insert(store.insertion(makeJobs(1))))) == "queue_full")
        _ = try store.commit(.unstage(row.takenAs))
        try store.insert(makeJob())
        let again = LargeFile(of: 5, in: store)
        #expect(refusal(try store.commit(again.piece(makeJobs(3), at: 0))) == "queue_full")
        try store.insert(makeJob(), makeJob(), makeJob(), makeJob())
    }

    /// Two that had a part each of what is left would wait for each other, and all others for them.
    @Test(arguments: Kind.allCases)
    func `a file that is begun has room for all of its jobs`(kind: Kind) throws {
        var limits = Limits()
        limits.waitingJobs = 6
        let store = try StoreUnderTest(kind, limits: limits)
        let file = LargeFile(of: 4, in: store)
        var other = row
        other.takenAs = "1-2-b.jsonl"
        let second = LargeFile(other, of: 4, in: store)
        _ = try store.commit(file.piece(makeJobs(2), at: 0))
        #expect(refusal(try store.commit(second.piece(makeJobs(2), at: 0))) == "queue_full")
        try store.insert(makeJob(), makeJob())
        let facts = try store.commit(file.piece(makeJobs(2), at: 2))
        guard case .staged(_, _, file.file, isAll: true)? = facts.first else {
            Issue.record("not staged: \(facts)")
            return
        }
        #expect(refusal(try store.commit(.insert(store.insertion(makeJobs(1))))) == "queue_full")
    }

    @Test(arguments: Kind.allCases)
    func `a step passes fewer jobs where they are long`(kind: Kind) throws {
        var long = row
        // Two in 4 MiB.
        long.bytes = 5 * (2 << 20)
        let store = try StoreUnderTest(kind)
        let file = LargeFile(long, of: 5, in: store)
        _ = try store.commit(file.piece(makeJobs(4), at: 0))
        for isAll in [false, true] {
            let facts = try store.commit(.unstage(row.takenAs))
            #expect(facts == [.unstaged(row.takenAs, isAll: isAll)])
        }
        let again = LargeFile(long, of: 5, in: store)
        _ = try store.commit(again.piece(makeJobs(5), at: 0))
        for count in [2, 4, 5] {
            #expect(
                try store.commit(.release(again.file)) == [
                    .released(again.file, isAll: count == 5)
                ]
            )
            #expect(try ready(store)?.count == count)
        }
    }

    @Test(arguments: [
        (1_000, 1_000, 1_000), (Int64(1_000), Int64(1_000 * 4_194), Int64(1_000)),
        (1_000, 1_000 * 8_388, 500), (1, 4 << 20, 1), (1, 16 << 30, 1), (.max, .max, 1_000),
        (0, 0, 1_000), (5, -1, 1_000),
    ])
    func `a step passes at least one job and at most a piece`(
        total: Int64,
        bytes: Int64,
        jobs: Int64
    ) {
        #expect(FilePiece.stepJobs(of: total, bytes: bytes) == jobs)
    }

    @Test(arguments: Kind.allCases)
    func `a clock that was set back does not keep the jobs of a file from starting`(
        kind: Kind
    ) throws {
        let store = try StoreUnderTest(kind)
        let file = LargeFile(of: 2, in: store)
        let late = makeJob(start: .after(ms: 60_000))
        _ = try store.commit(file.piece([makeJob(), late], at: 0))
        store.now = store.now.adding(ms: -500_000)
        _ = try store.commit(.release(file.file))
        #expect(try ready(store) == [file.all[0]])
    }

    @Test(arguments: Kind.allCases)
    func `nothing stays of a file that does not come to its end`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let file = LargeFile(of: 3_000, in: store)
        var withInput = makeSpec()
        withInput.frames = [Spec.Frame(number: 2, bytes: [1, 2])]
        _ = try store.commit(file.piece([makeJob(key: "k"), makeJob(withInput)], at: 0))
        _ = try store.commit(file.piece(makeJobs(1_500), at: 2))
        #expect(
            try store.commit(.unstage(row.takenAs)) == [.unstaged(row.takenAs, isAll: false)]
        )
        #expect(refusal(try store.commit(file.piece(makeJobs(1), at: 0))) == "busy")
        try store.checkUp()
        #expect(try store.commit(.unstage(row.takenAs)) == [.unstaged(row.takenAs, isAll: true)])
        #expect(try store.commit(.unstage(row.takenAs)) == [.unstaged(row.takenAs, isAll: true)])
        try store.checkUp()
        try store.insert(makeJob(key: "k"))
        let again = LargeFile(of: 1, in: store)
        let facts = try store.commit(again.piece(makeJobs(1), at: 0))
        guard case .staged(_, _, _, isAll: true)? = facts.first else {
            Issue.record("not staged")
            return
        }
        #expect(try store.commit(.unstage(row.takenAs)) == [.unstaged(row.takenAs, isAll: true)])
        #expect(try store.counts().queued == 2, "what is seen stays")
    }

    @Test(arguments: Kind.allCases)
    func `a job that is called off before it is ready stays so`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let file = LargeFile(of: 3, in: store)
        _ = try store.commit(file.piece(makeJobs(3), at: 0))
        _ = try store.commit(.cancel([Target(file.all[0]), Target(file.all[1])], store.ticket()))
        _ = try store.commit(.retry([file.all[1]], store.ticket()))
        #expect(try ready(store) == [file.all[1]])
        try store.checkUp()
        _ = try store.commit(.release(file.file))
        #expect(try ready(store) == [file.all[1], file.all[2]])
        #expect(try store.details(file.all[0]).job.state == .cancelled)
        let reports = file.all[1...].map { Change.settle(makeReport($0, 1, success())) }
        #expect(try store.commit(all: Array(reports)).contains(.fileEnded(file.file)))
        try store.checkUp()
    }

    /// It was called off and retried, so that it has begun before the rest of its file is ready.
    @Test(arguments: Kind.allCases)
    func `a release leaves alone what is divided already`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let file = LargeFile(of: 1, in: store)
        let whole = file.all[0]
        _ = try store.commit(file.piece([makeJob(makeSpec(parts: 2))], at: 0))
        _ = try store.commit(.cancel([Target(whole)], store.ticket()))
        _ = try store.commit(.retry([whole], store.ticket()))
        let parts = [Part(body: [1]), Part(body: [2])]
        let report = makeReport(whole, 1, .split(parts))
        let ids = store.ids(2)
        _ = try store.commit(.split(report, parts: parts, ids: ids))
        #expect(try ready(store) == ids.map(JobID.init))
        _ = try store.commit(.release(file.file))
        #expect(try ready(store) == ids.map(JobID.init))
    }

    @Test func `after a clean end the ids of a file that is begun are given to nobody else`() throws
    {
        let store = try JobStore(inMemory: Limits())
        let now = Timestamp(rawValue: 1_000_000)
        let run = try store.recover(inFlight: [], at: now).run
        let piece = FilePiece(row: row, total: 1_000, place: 0, jobs: makeJobs(1))
        let staging = Staging(piece: piece, ids: 1...1_000, ticket: Ticket(rawValue: 1))
        _ = try store.commit([.stage(staging)], at: now)
        try store.stop(run, at: now)
        #expect(try store.recover(inFlight: [], at: now).reserved.lowerBound == 1_001)
    }

    @Test func `after a crash a start knows what is half done`() throws {
        let directory = try TemporaryDirectory()
        let now = Timestamp(rawValue: 1_000_000)
        func stage(_ name: String, _ ids: ClosedRange<Int64>, _ count: Int) -> Change {
            let row = TakenFile.Row(name: name, takenAs: "1-\(name)", bytes: 9, digest: "00")
            let piece = FilePiece(row: row, total: ids.count, place: 0, jobs: makeJobs(count))
            return .stage(Staging(piece: piece, ids: ids, ticket: Ticket(rawValue: 1)))
        }
        do {
            let store = try JobStore(path: directory.store)
            _ = try store.commit(
                [
                    stage("loading", 1...3, 2), stage("opening", 4...5, 2),
                    stage("removing", 6...1_600, 1_300), .unstage("1-removing"),
                ],
                at: now
            )
        }
        let store = try JobStore(path: directory.store)
        let recovery = try store.recover(inFlight: [], at: now)
        #expect(recovery.stages.releasing == [FileID(rawValue: 4)])
        #expect(recovery.stages.removing == ["1-removing"])
        #expect(recovery.reserved.lowerBound > 1_600)
        let reader = try StoreReader(path: directory.store)
        #expect(try reader.loadingFiles() == ["1-loading"])
        #expect(try reader.endedFiles() == [])
        let shown = try store.answer(.ends([JobID(rawValue: 1), JobID(rawValue: 6)]))
        #expect(shown == .ends([nil, nil], isIssued: [false, false]))
        guard case .statistics(let found) = try store.answer(.statistics(now: now)) else { return }
        #expect(found.counts.queued == 2)
        let file = try Connection(path: directory.store, mode: .readOnly)
        let seen = try file.prepare("SELECT id FROM job_overview").all { $0.integer(0) }
        #expect(seen == [4, 5], "people see no more than others")
    }
}
