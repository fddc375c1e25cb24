import Foundation
import JobCore
import JobTesting
import SQLite
import Testing

@testable import JobStorage

/// A store that somebody or something has changed: never a wrong result, always a sentence.
@Suite("Damage") struct DamageTests {
    private let directory: TemporaryDirectory
    private let now = Timestamp(rawValue: 1_700_000_000_000)

    init() throws { directory = try TemporaryDirectory() }

    /// What was stored: results by job, and the work of those that wait.
    private struct Ledger {
        var results: [JobID: Outcome] = [:]
        var states: [JobID: JobState] = [:]
        var waiting: [JobID: Spec] = [:]
        /// The parts' results of a job that is to be put together.
        var outputs: [[UInt8]] = []
    }

    private func makeStore() throws -> Ledger {
        let store = try JobStore(path: directory.store)
        var ledger = Ledger()
        for number in Int64(1)...60 {
            let id = JobID(rawValue: number)
            var spec = makeSpec(#"{"sql":"select \#(number) * 7"}"#)
            if number.isMultiple(of: 7) {
                spec.frames = [Spec.Frame(number: 2, bytes: [UInt8](repeating: 9, count: 9_000))]
            }
            let insertion = Insertion(
                jobs: [makeJob(spec)],
                ids: number...number,
                ticket: Ticket(rawValue: 1)
            )
            _ = try store.commit([.insert(insertion)], at: now)
            switch number % 4 {
            case 0:
                ledger.states[id] = .queued
                ledger.waiting[id] = spec
            case 1:
                ledger.states[id] = .failed
                _ = try store.commit([.settle(makeReport(id, 1, .failed(mistake)))], at: now)
            default:
                // In one page, on several, and, once, in parts.
                let count = number == 2 ? 1_500_000 : number % 4 == 2 ? 20 : 9_000
                let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ Int(number)) }
                let stderr = number.isMultiple(of: 3) ? "said by \(number)" : nil
                let outcome =
                    Outcome(format: .bytes, bytes: bytes, rows: number, stderr: stderr)
                ledger.states[id] = .succeeded
                ledger.results[id] = outcome
                _ = try store.commit([.settle(makeReport(id, 1, .succeeded(outcome)))], at: now)
            }
        }
        ledger.outputs = try insertDivided(into: store, at: now)
        try store.shrinkLog()
        return ledger
    }

    /// Everything that is answered is right; the rest are errors.
    ///
    /// - Returns: How many questions were not answered.
    private func compare(_ path: String, with ledger: Ledger) -> Int {
        guard let reader = try? StoreReader(path: path) else { return 1 }
        var errors = 0
        for (id, state) in ledger.states {
            if let answer = try? reader.answer(.result(id, .whole)) {
                compare(answer, of: id, state, ledger.results[id])
            } else {
                errors += 1
            }
            if (try? reader.answer(.show([id]))) == nil { errors += 1 }
        }
        let loading = Query.load(Lane(.standard), limit: 100, now: now)
        if case .loaded(_, let jobs, _, _)? = try? reader.answer(loading) {
            for job in jobs where ledger.waiting[job.id]?.body != job.spec.body {
                Issue.record("job \(job.id.rawValue) is loaded with other work")
            }
        } else {
            errors += 1
        }
        switch try? reader.answer(.gather(divided)) {
        case .gathered(_, let outputs)?: errors += compare(outputs, with: ledger)
        default: errors += 1  // Damaged, and said so.
        }
        for query in [
            Query.list(JobFilter(), after: nil, limit: 99), .survey(now: now), .queues(nil),
        ]
        where (try? reader.answer(query)) == nil { errors += 1 }
        return errors
    }

    /// Parts of which nothing can be found any more are as few as the job says: its last run fails.
    private func compare(_ outputs: [[UInt8]], with ledger: Ledger) -> Int {
        if outputs.count < ledger.outputs.count { return 1 }
        #expect(outputs == ledger.outputs)
        return 0
    }

    private func compare(_ answer: Answer, of id: JobID, _ state: JobState, _ kept: Outcome?) {
        // A row that is not found is told as such: 410, and no result.
        guard case .result(let result?, _) = answer else { return }
        #expect(result.end.state == state)
        #expect(result.bytes == kept?.bytes ?? [])
        #expect(result.head == kept?.head)
    }

    @Test func `flipped bits never give a wrong result`() throws {
        let ledger = try makeStore()
        #expect(compare(directory.store, with: ledger) == 0)
        let whole = try Data(contentsOf: URL(filePath: directory.store))
        let count =
            ProcessInfo.processInfo.environment["MILLRACE_TEST_COUNT"].flatMap(Int.init) ?? 20
        let first = UInt64.random(in: 0...1_000_000)
        var noticed = 0
        for seed in first..<first + UInt64(count) {
            var random = SeededGenerator(seed: seed)
            var damaged = whole
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                let place = Int.random(in: 0..<damaged.count, using: &random)
                damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            let copy = try TemporaryDirectory()
            try damaged.write(to: URL(filePath: copy.store))
            let errors = compare(copy.store, with: ledger)
            // A start on it, and some work, end with an error or well, and not in a trap.
            if let store = try? JobStore(path: copy.store) {
                _ = try? store.recover(inFlight: [], at: now)
                for id in ledger.waiting.keys {
                    _ = try? store.commit([.settle(makeReport(id, 1, success()))], at: now)
                }
            }
            if errors > 0 { noticed += 1 }
        }
        print("Damage, seeds from \(first): noticed in \(noticed) of \(count) files")
    }

    // MARK: One damaged job

    /// Changes one byte of the work of these jobs, behind the store's back.
    private func spoil(_ ids: Int64...) throws {
        let connection = try Connection(path: directory.store, mode: .readWrite)
        for id in ids {
            let body = "replace(body, 'select', 'delete')"
            try connection.run("UPDATE jobs SET body = \(body) WHERE id = \(id)")
        }
    }

    private func insert(_ count: Int64, into store: JobStore, parts: Int = 1) throws {
        let specs = (1...count).map { makeSpec(#"{"sql":"select \#($0)"}"#, parts: parts) }
        let jobs = specs.map { makeJob($0) }
        let insertion = Insertion(jobs: jobs, ids: 1...count, ticket: Ticket(rawValue: 1))
        _ = try store.commit([.insert(insertion)], at: now)
    }

    private func ends(_ facts: [Fact]) -> [JobEnd] {
        facts.compactMap { fact in
            guard case .ended(let ended) = fact else { return nil }
            return ended.end
        }
    }

    @Test func `a damaged job holds up nobody, and fails as soon as it is met`() throws {
        let store = try JobStore(path: directory.store)
        try insert(4, into: store)
        try spoil(2)
        let ids = (1...Int64(4)).map(JobID.init)
        let loading = Query.load(Lane(.standard), limit: 9, now: now)
        guard case .loaded(_, let jobs, let isAll, let damaged) = try store.answer(loading) else {
            return
        }
        #expect(jobs.map(\.id) == [ids[0], ids[2], ids[3]])
        #expect(isAll)
        #expect(damaged == [ids[1]])
        // What the reader takes to be damaged is looked at once more.
        let facts = try store.commit([.spoil([ids[1], ids[2], JobID(rawValue: 9)])], at: now)
        #expect(ends(facts).map(\.id) == [ids[1]])
        #expect(ends(facts).first?.failure == .damaged)
        #expect(facts.last == .queued(jobs[1]))
    }

    @Test func `a run whose job is damaged meanwhile ends its job alone`() throws {
        let store = try JobStore(path: directory.store)
        try insert(4, into: store, parts: 2)
        try spoil(1, 2, 3)
        let ids = (1...Int64(4)).map(JobID.init)
        let parts = [Part(body: []), Part(body: [])]
        let facts = try store.commit(
            [
                .settle(makeReport(ids[0], 1, .failed(glitch))),
                .lose(ids[1], Attempt(rawValue: 1), worker, reason: "It is gone."),
                .split(makeReport(ids[2], 1, .split(parts)), parts: parts, ids: 10...11),
                .settle(makeReport(ids[3], 1, .putBack)),
            ],
            at: now
        )
        #expect(ends(facts).map(\.id) == Array(ids.prefix(3)))
        #expect(ends(facts).allSatisfy { $0.failure == .damaged })
        #expect(facts.count == 4)
    }

    @Test func `a job that was running and is damaged does not keep a start from succeeding`()
        throws
    {
        let store = try JobStore(path: directory.store)
        try insert(3, into: store)
        let ids = (1...Int64(3)).map(JobID.init)
        for id in ids {
            let start = Change.start(id, Attempt(rawValue: 1), worker, at: now)
            _ = try store.commit([start], at: now)
        }
        try spoil(1)
        let connection = try Connection(path: directory.store, mode: .readWrite)
        try connection.run("UPDATE jobs SET losses = 1 << 40 WHERE id = 2")
        let recovery = try store.recover(inFlight: [], at: now)
        #expect(recovery.lost.isEmpty)
        #expect(
            try store.answer(.ends([ids[0]]))
                == .ends(
                    [
                        JobEnd(
                            id: ids[0],
                            state: .failed,
                            attempt: Attempt(rawValue: 1),
                            failure: .damaged
                        )
                    ],
                    isIssued: [true]
                )
        )
        let loading = Query.load(Lane(.standard), limit: 9, now: now)
        guard case .loaded(_, let jobs, _, _) = try store.answer(loading) else { return }
        #expect(jobs.map(\.id) == [ids[2]])
        // Of the one whose row makes no sense nothing can be said: it stays as it is.
        let report = makeReport(ids[1], 1, success())
        let late = Fact.cameLate(ids[1], Attempt(rawValue: 1))
        #expect(try store.commit([.settle(report)], at: now) == [late])
    }

    @Test(arguments: [
        "losses = 1 << 40", "failures = -1", "ready_at = 'soon'", "max_attempts = 'many'",
        "cancel_requested = 1",
    ])
    func `a success of a job whose row makes no sense is late, and others are not`(damage: String)
        throws
    {
        let store = try JobStore(path: directory.store)
        try insert(2, into: store)
        try changeSchema(replacing: ") STRICT", by: ") ")
        let connection = try Connection(path: directory.store, mode: .readWrite)
        try connection.run("PRAGMA ignore_check_constraints = ON")
        try connection.run("UPDATE jobs SET \(damage) WHERE id = 1")
        try changeSchema(replacing: ") ", by: ") STRICT")
        let ids = (1...Int64(2)).map(JobID.init)
        let facts = try store.commit(
            ids.map { .settle(makeReport($0, 1, success())) },
            at: now
        )
        #expect(facts.first == .cameLate(ids[0], Attempt(rawValue: 1)))
        #expect(ends(facts).map(\.id) == [ids[1]])
    }

    /// The end of the definition of `jobs`, for connections that are opened from now on.
    private func changeSchema(replacing old: String, by new: String) throws {
        let connection = try Connection(path: directory.store, mode: .readWrite)
        try connection.run("PRAGMA writable_schema = ON")
        try connection.run(
            """
            UPDATE sqlite_schema SET sql = substr(sql, 1, length(sql) - \(old.count)) || '\(new)'
             WHERE name = 'jobs'
            """
        )
    }

    @Test(arguments: [1, 2, 3, 5, 8, 13, 30])
    func `a truncated store is told of`(pages: Int) throws {
        let ledger = try makeStore()
        let file = try FileHandle(forWritingTo: URL(filePath: directory.store))
        try file.truncate(atOffset: UInt64(pages * 4_096 - (pages % 2) * 100))
        try file.close()
        #expect(compare(directory.store, with: ledger) > 0)
    }

    @Test func `a store that lost its log is an earlier store, and whole`() throws {
        _ = try makeStore()
        let store = try JobStore(path: directory.store)
        let jobs = [makeJob()]
        let insertion = Insertion(jobs: jobs, ids: 104...104, ticket: Ticket(rawValue: 1))
        _ = try store.commit([.insert(insertion)], at: now)
        let copy = try TemporaryDirectory()
        try FileManager.default.copyItem(atPath: directory.store, toPath: copy.store)
        let earlier = try JobStore(path: copy.store)
        let id = JobID(rawValue: 104)
        #expect(try earlier.answer(.ends([id])) == .ends([nil], isIssued: [false]))
        let connection = try Connection(path: copy.store, mode: .readOnly)
        #expect(try StoreFile.faults(in: connection, reach: .whole) == [])
    }

    @Test func `an empty file is a loss, and not a new store`() throws {
        #expect(FileManager.default.createFile(atPath: directory.store, contents: Data()))
        #expect(throws: StoreError.self) { try StoreReader(path: directory.store) }
        #expect(throws: StoreError.empty(path: directory.store)) {
            try JobStore(path: directory.store)
        }
        #expect(throws: StoreError.self) { try JobStore(path: directory.store + "/none") }
    }

    @Test func `a link that leads nowhere is a store out of reach, and stays`() throws {
        let files = FileManager.default
        let disk = directory.url.path() + "disk"
        try files.createSymbolicLink(atPath: directory.store, withDestinationPath: disk + "/jobs")
        #expect(throws: StoreError.self) { try JobStore(path: directory.store) }
        #expect(try files.destinationOfSymbolicLink(atPath: directory.store) == disk + "/jobs")
        #expect(throws: StoreError.self) { try JobStore(path: directory.store + "/none") }
    }

    @Test func `a log without its store is a loss, and not a new store`() throws {
        let log = directory.store + "-wal"
        #expect(FileManager.default.createFile(atPath: log, contents: Data([1])))
        #expect(throws: StoreError.onlyLog(path: directory.store)) {
            try JobStore(path: directory.store)
        }
        #expect(try Data(contentsOf: URL(filePath: log)) == Data([1]))
        #expect(!FileManager.default.fileExists(atPath: directory.store))
        try Data().write(to: URL(filePath: log))
        _ = try JobStore(path: directory.store)
    }

    @Test func `a first start that was killed half way does not keep the next one from starting`()
        throws
    {
        for half in [Data(), Data("SQLite format 3".utf8), Data(repeating: 7, count: 9_000)] {
            let path = directory.store + "-half-\(half.count)"
            #expect(FileManager.default.createFile(atPath: path + ".new", contents: half))
            #expect(FileManager.default.createFile(atPath: path + ".new-wal", contents: half))
            let store = try JobStore(path: path)
            _ = try store.recover(inFlight: [], at: Timestamp(rawValue: 1))
            #expect(!FileManager.default.fileExists(atPath: path + ".new"))
        }
    }

    @Test func `a job whose salt was changed does not run: it would not find its receipt`() throws {
        let store = try JobStore(path: directory.store)
        var spec = makeSpec(writes: "shop")
        spec.salt = 77
        let insertion = Insertion(
            jobs: [makeJob(spec)],
            ids: 1...1,
            ticket: Ticket(rawValue: 1)
        )
        _ = try store.commit([.insert(insertion)], at: now)
        let query = Query.load(Lane(.standard, Turns(writes: "shop")), limit: 9, now: now)
        func load() throws -> Spec? {
            guard case .loaded(_, let jobs, _, _) = try store.answer(query) else { return nil }
            return jobs.first?.spec
        }
        #expect(try load() == spec)
        let hand = try Connection(path: directory.store, mode: .readWrite)
        for change in ["salt = 76", "salt = NULL"] {
            try hand.run("UPDATE jobs SET \(change)")
            #expect((try? load()) == nil)
        }
        // As schema 3 has written it.
        var unsalted = spec
        unsalted.salt = nil
        let sum = Checksum.of(unsalted, job: JobID(rawValue: 1))
        try hand.run("UPDATE jobs SET salt = 77, checksum = ?", .integer(sum))
        #expect(try load() == spec)
    }

    @Test func `a sum notices every change within eight bytes`() {
        var random = SeededGenerator(seed: 1)
        let bytes = (0..<100).map { _ in UInt8.random(in: 0...255, using: &random) }
        var whole = Checksum()
        whole.add(bytes)
        for place in 0..<100 {
            for bit in 0..<8 {
                var other = bytes
                other[place] ^= 1 << UInt8(bit)
                var sum = Checksum()
                sum.add(other)
                #expect(sum.value != whole.value)
            }
        }
        var shorter = Checksum()
        shorter.add(Array(bytes.dropLast()))
        #expect(shorter.value != whole.value)
    }
}
