import Foundation
import JobCore
import SQLite
import Testing

@testable import JobStorage

/// The file: what it refuses, what it keeps, and who may look at it meanwhile.
@Suite("The store's file") struct FileTests {
    private let directory: TemporaryDirectory
    private let now = Timestamp(rawValue: 1_700_000_000_000)

    init() throws { directory = try TemporaryDirectory() }

    private func insert(_ jobs: [Submission], first id: Int64 = 1) -> Change {
        let ids = id...(id + Int64(jobs.count) - 1)
        return .insert(Insertion(jobs: jobs, ids: ids, ticket: Ticket(rawValue: 1)))
    }

    @Test func `all is there when the store is opened again`() throws {
        let id = JobID(rawValue: 1)
        let query = Query.show([id, JobID(rawValue: 2), JobID(rawValue: 3)])
        let before: Answer
        do {
            let store = try JobStore(path: directory.store)
            _ = try store.commit([insert([makeJob(key: "a"), makeJob(), makeJob()])], at: now)
            let changes: [Change] = [
                .settle(makeReport(id, 1, success())),
                .setPaused(true, .standard, Ticket(rawValue: 2)),
                .delete([JobID(rawValue: 1)], Ticket(rawValue: 3)),
                .reserve(upTo: 90),
            ]
            _ = try store.commit(changes, at: now)
            before = try store.answer(query)
        }
        let store = try JobStore(path: directory.store)
        #expect(try store.answer(query) == before)
        #expect(try store.commit([.reserve(upTo: 5)], at: now) == [.reserved(upTo: 90)])
        guard case .shown(let shown, let isIssued) = before else { return }
        #expect(shown.map { $0 != nil } == [false, true, true])
        #expect(isIssued == [true, true, true])
    }

    @Test func `each commit is synced, and the log is bounded`() throws {
        _ = try JobStore(path: directory.store)
        let file = try Connection(path: directory.store, mode: .readOnly)
        #expect(try file.row("PRAGMA journal_mode") == [.text("wal")])
        #expect(try file.row("PRAGMA user_version") == [.integer(6)])
    }

    @Test func `a newer store is refused, and left as it is`() throws {
        _ = try JobStore(path: directory.store)
        try change("PRAGMA user_version = 99")
        let error = StoreError.schemaTooNew(path: directory.store, found: 99, known: 6)
        #expect(throws: error) { try JobStore(path: directory.store) }
        #expect(throws: error) { try StoreReader(path: directory.store) }
        #expect(!error.heals)
    }

    @Test func `another database is refused, and left as it is`() throws {
        try change("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)")
        let before = try Data(contentsOf: URL(filePath: directory.store))
        let error = StoreError.notAStore(path: directory.store)
        #expect(throws: error) { try JobStore(path: directory.store) }
        #expect(throws: error) { try StoreReader(path: directory.store) }
        #expect(try Data(contentsOf: URL(filePath: directory.store)) == before)
    }

    @Test func `a file that is no database is refused`() throws {
        let text = Data(repeating: UInt8(ascii: "x"), count: 5_000)
        try text.write(to: URL(filePath: directory.store))
        #expect(throws: StoreError.notAStore(path: directory.store)) {
            try JobStore(path: directory.store)
        }
    }

    @Test func `there is nothing to read before there is a store`() {
        #expect(throws: StoreError.self) { try StoreReader(path: directory.store) }
        #expect(!FileManager.default.fileExists(atPath: directory.store))
    }

    @Test func `a commit that the disk refuses leaves the store as it was`() throws {
        let store = try JobStore(path: directory.store)
        _ = try store.commit([insert([makeJob()])], at: now)
        let before = try store.answer(.statistics(now: now))
        // The same id again: our own mistake, but one that SQLite tells us.
        #expect(throws: StoreError.self) {
            try store.commit([insert([makeJob()], first: 2), insert([makeJob()])], at: now)
        }
        let after = try store.answer(.ends([JobID(rawValue: 2)]))
        #expect(after == .ends([nil], isIssued: [false]))
        guard case .statistics(let counts) = try store.answer(.statistics(now: now)),
            case .statistics(let countsBefore) = before
        else { return }
        #expect(counts.counts == countsBefore.counts)
        #expect(try store.commit([insert([makeJob()], first: 2)], at: now).count == 1)
    }

    @Test func `a second writer is told that the store is in use`() throws {
        let store = try JobStore(path: directory.store)
        let other = try Connection(path: directory.store, mode: .readWrite)
        try other.begin()
        store.setPatience(ms: 0)
        let error = StoreError.busy(path: directory.store)
        #expect(throws: error) { try store.commit([insert([makeJob()])], at: now) }
        #expect(error.heals)
        other.rollBack()
        #expect(try store.commit([insert([makeJob()])], at: now).count == 1)
    }

    // MARK: - The spool's

    @Test func `results of one spool file are held up to a bound, and each whole or not at all`()
        throws
    {
        var limits = Limits()
        limits.replyBytes = 2_000
        let store = try JobStore(path: directory.store, limits: limits)
        let row = TakenFile.Row(name: "a.jsonl", takenAs: "1-1-a.jsonl", bytes: 9, digest: "00")
        // The third is too large for one reply, the fourth for what the first two leave.
        let sizes = [600, 0, 2_001, 401, 400, 1]
        let ids = Int64(1)...Int64(sizes.count + 1)
        var insertion = Insertion(
            jobs: ids.map { _ in makeJob() },
            ids: ids,
            ticket: Ticket(rawValue: 1)
        )
        insertion.file = row
        var changes: [Change] = [.insert(insertion)]
        for (id, size) in zip(ids, sizes) {
            let text = String(repeating: "x", count: size)
            changes.append(.settle(makeReport(JobID(rawValue: id), 1, success(text))))
        }
        let failed = makeReport(JobID(rawValue: ids.upperBound), 1, .failed(mistake))
        _ = try store.commit(changes + [.settle(failed)], at: now)

        let reader = try StoreReader(path: directory.store, limits: limits)
        let file = try #require(reader.endedFiles().first)
        func held(_ most: Int) throws -> [Int] {
            let report = try #require(try reader.report(on: file, holding: most))
            #expect(report.jobs.map(\.result.end.id.rawValue) == Array(ids))
            let told = report.jobs.map { $0.result.head?.totalBytes }
            #expect(told == sizes.map(Int64.init) + [nil])
            return report.jobs.map(\.result.bytes.count)
        }
        #expect(try held(1_000) == [600, 0, 0, 0, 400, 0, 0])
        #expect(try held(1_002) == [600, 0, 0, 401, 0, 1, 0])
        #expect(try held(0) == [0, 0, 0, 0, 0, 0, 0])
        let all = try reader.report(on: file)
        #expect(all?.jobs.map(\.result.bytes.count) == [600, 0, 0, 401, 400, 1, 0])
    }

    @Test func `a word from before a retry does not close a spool file that is open again`()
        throws
    {
        let store = try JobStore(path: directory.store)
        let reader = try StoreReader(path: directory.store)
        let id = JobID(rawValue: 1)
        var insertion = Insertion(jobs: [makeJob()], ids: 1...1, ticket: Ticket(rawValue: 1))
        insertion.file = TakenFile.Row(name: "a.sql", takenAs: "1-1-a.sql", bytes: 9, digest: "00")
        let failure = Change.settle(makeReport(id, 1, .failed(mistake)))
        _ = try store.commit([.insert(insertion), failure], at: now)
        let file = try #require(reader.endedFiles().first)

        _ = try store.commit([.retry([id], Ticket(rawValue: 2))], at: now)
        _ = try store.commit([.closeFile(file)], at: now)
        _ = try store.commit([.settle(makeReport(id, 2, success()))], at: now)
        // The next start publishes it, should this one not come to it.
        #expect(try reader.endedFiles() == [file])
        _ = try store.commit([.closeFile(file)], at: now)
        #expect(try reader.endedFiles() == [])
    }

    // MARK: - People

    @Test func `people read the store while it is written`() throws {
        let store = try JobStore(path: directory.store)
        var spec = makeSpec(#"{"sql":"select 1"}"#)
        spec.name = "nightly"
        let jobs = [makeJob(spec), makeJob(start: .after(ms: 10_000_000_000_000)), makeJob()]
        _ = try store.commit([insert(jobs)], at: now)
        let reader = try Connection(path: directory.store, mode: .readOnly)
        let open = try reader.prepare("SELECT id, state, name, created_at, body FROM job_overview")
        #expect(try open.step())
        let row: [Value] = [
            .integer(1), .text("queued"), .text("nightly"), .text("2023-11-14T22:13:20.000Z"),
            .text(#"{"sql":"select 1"}"#),
        ]
        #expect(open.values == row)
        let report = makeReport(JobID(rawValue: 3), 1, .failed(mistake))
        _ = try store.commit([.settle(report)], at: now)
        #expect(try open.step())
        #expect(open.text(1) == "scheduled")
        #expect(try open.step())
        #expect(open.text(1) == "queued", "as of when the reading began")
        open.reset()
        let failed = try reader.row("SELECT state, error, message FROM job_overview WHERE id = 3")
        #expect(failed == [.text("failed"), .text("sql_error"), .text(mistake.message)])
    }

    @Test(arguments: [
        "UPDATE jobs SET state = 'done'",
        "UPDATE jobs SET state = 'running'",
        "UPDATE jobs SET state = 'running', attempt = 1",
        "UPDATE jobs SET state = 'succeeded'",
        "UPDATE jobs SET finished_at = 1",
        "UPDATE jobs SET attempt = -1",
        "UPDATE jobs SET waits_for = -1",
        "UPDATE jobs SET cancel_requested = 1",
        "UPDATE jobs SET state = 'failed', finished_at = 1, waits_for = 1",
        "UPDATE jobs SET priority = 101",
        "UPDATE jobs SET ready_at = 'soon'",
        "UPDATE jobs SET part = 1",
        "UPDATE queues SET queued = -1",
        "UPDATE queues SET is_paused = 2",
        "INSERT INTO marks VALUES (2, 0, 0, 0)",
        "INSERT INTO results VALUES (1, 1, 'json', NULL, 7, 0, x'00', NULL)",
        "INSERT INTO spool_files VALUES (1, 'a', 'a', 1, 'a', 0, 1, 1, 2, 0, 'loaded', 0, 0)",
    ])
    func `the schema refuses what cannot be`(sql: String) throws {
        let store = try JobStore(path: directory.store)
        _ = try store.commit([insert([makeJob()])], at: now)
        do {
            try change(sql)
            Issue.record("not refused")
        } catch let error as SQLiteError {
            #expect(error.isConstraint, "\(error)")
        }
    }

    private func change(_ sql: String) throws {
        let connection = try Connection(path: directory.store, mode: .create)
        try connection.execute(script: sql)
    }
}
