import JobCore
import JobTesting
import SQLite
import Testing

@testable import JobStorage

/// A row of the ledger that nobody of ours has written hurts its own file alone.
@Suite("Damaged rows of large files") struct StageDamageTests {
    private let directory: TemporaryDirectory
    private let now = Timestamp(rawValue: 1_000_000)

    init() throws { directory = try TemporaryDirectory() }

    private func stage(_ name: String, _ ids: ClosedRange<Int64>, _ jobs: Int) -> Change {
        let row = TakenFile.Row(name: name, takenAs: "1-\(name)", bytes: 9, digest: "00")
        let made = (0..<jobs).map { _ in makeJob() }
        let piece = FilePiece(row: row, total: ids.count, place: 0, jobs: made)
        return .stage(Staging(piece: piece, ids: ids, ticket: Ticket(rawValue: 1)))
    }

    private func insert(_ id: Int64) -> Change {
        .insert(Insertion(jobs: [makeJob()], ids: id...id, ticket: Ticket(rawValue: 2)))
    }

    /// One file that loads, one that opens, and a job beside them; then the rows are changed.
    private func damage(_ change: String) throws {
        do {
            let store = try JobStore(path: directory.store)
            let changes = [stage("loading", 1...4, 2), stage("opening", 5...7, 3), insert(8)]
            _ = try store.commit(changes, at: now)
        }
        let file = try Connection(path: directory.store, mode: .readWrite)
        try file.run("PRAGMA ignore_check_constraints = ON")
        try file.run("UPDATE spool_files SET \(change)")
    }

    private static let damages = [
        "staged = 99", "staged = -1", "released = 99", "first_id = 0", "first_id = 1 << 60",
        "jobs = 1 << 40", "jobs = 0", "phase = 'gone'",
    ]

    @Test(arguments: damages)
    func `all others are answered, and go on`(change: String) throws {
        try damage(change)
        let reader = try StoreReader(path: directory.store)
        guard case .statistics(let found) = try reader.answer(.statistics(now: now)) else { return }
        #expect(found.counts.queued == 4)
        let other = JobID(rawValue: 8)
        guard case .shown(let shown, _) = try reader.answer(.show([other])) else { return }
        #expect(shown.first??.job.id == other)

        let store = try JobStore(path: directory.store)
        _ = try store.recover(inFlight: [], at: now)
        let facts = try store.commit(
            [insert(100_100), .setPaused(true, nil, Ticket(rawValue: 3))],
            at: now
        )
        guard case .inserted? = facts.first else {
            Issue.record("not inserted: \(facts)")
            return
        }
        let end = makeReport(other, 1, success())
        _ = try store.commit([.settle(end)], at: now)
        guard case .ends(let ends, _) = try store.answer(.ends([other])) else { return }
        #expect(ends.first??.state == .succeeded)
    }

    @Test(arguments: damages)
    func `nothing is done about its file, and nothing of it starts`(change: String) throws {
        try damage(change)
        let store = try JobStore(path: directory.store)
        let recovery = try store.recover(inFlight: [], at: now)
        let files = [FileID(rawValue: 1), FileID(rawValue: 5)]
        #expect(recovery.stages.releasing == [])
        for name in ["loading", "opening"] {
            let facts = try store.commit([stage(name, 1_000...1_003, 2)], at: now)
            guard case .refused(_, let refusal)? = facts.first else {
                Issue.record("not refused: \(facts)")
                return
            }
            #expect(refusal.status == 500 || refusal.code == "file_changed")
            let told = try store.commit([.unstage("1-\(name)")], at: now)
            #expect(told == [.unstaged("1-\(name)", isAll: true)])
        }
        for file in files {
            let told = try store.commit([.release(file)], at: now)
            #expect(told == [.released(file, isAll: true)])
        }
        let held = [1, 2, 5, 6, 7].map { JobID(rawValue: $0) }
        for id in held {
            _ = try store.commit([.cancel([Target(id)], Ticket(rawValue: 4))], at: now)
        }
        guard
            case .loaded(_, let jobs, _, _) = try store.answer(
                .load(Lane(.standard), limit: 100, now: now)
            )
        else { return }
        #expect(jobs.map(\.id) == [JobID(rawValue: 8)])
        guard case .statistics(let found) = try store.answer(.statistics(now: now)) else { return }
        #expect(found.counts.queued == 4 && found.counts.cancelled == 0)
    }

    @Test(arguments: damages)
    func `doctor shows it`(change: String) throws {
        try damage(change)
        let found = try StoreCheckup(path: directory.store).findings(whole: false)
        let rows = found.first { $0.subject == "rows" }?.faults ?? []
        #expect(rows.contains { $0.hasPrefix("file 5 ") }, "\(rows)")
    }

    /// They keep a queue's place, and what opens a file is added to the counters.
    @Test(arguments: [
        ("UPDATE staged_queues SET jobs = 9", "file 1 has 2 unseen jobs in queue default, and"),
        ("DELETE FROM staged_queues", "file 1 has 2 unseen jobs in queue default, and"),
        (
            "INSERT INTO staged_queues VALUES (1, 'other', 3)",
            "file 1 has 0 unseen jobs in queue other"
        ),
        ("INSERT INTO staged_queues VALUES (5, 'default', 3)", "staged_queues has rows of file 5"),
        ("INSERT INTO staged_queues VALUES (77, 'x', 0)", "staged_queues has rows of file 77"),
    ])
    func `doctor counts the jobs that nobody sees`(change: String, fault: String) throws {
        try damage("taken_at = taken_at")
        func faults() throws -> [String] {
            try StoreCheckup(path: directory.store).findings(whole: false).flatMap(\.faults)
        }
        #expect(try faults() == [])
        try Connection(path: directory.store, mode: .readWrite).run(change)
        let found = try faults()
        #expect(found.count == 1 && found[0].hasPrefix(fault), "\(found)")
    }
}
