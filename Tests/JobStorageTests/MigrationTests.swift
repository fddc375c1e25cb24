import Foundation
import JobCore
import JobTesting
import SQLite
import Testing

@testable import JobStorage

/// Stores as earlier versions of the schema wrote them: all is there, and their jobs run on.
@Suite("Migrations") struct MigrationTests {
    /// Those that have a successor.
    static let versions = Array(1..<Schema.steps.count)
    private let now = Timestamp(rawValue: 1_800_000_000_000)

    /// Fills a file with the fixture of this version.
    private func make(_ version: Int, at path: String) throws {
        let fixture = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Fixtures/store-\(version).sql")
        let connection = try Connection(path: path, mode: .create)
        try connection.execute(script: String(contentsOf: fixture, encoding: .utf8))
    }

    private func result(_ store: JobStore, _ id: Int64) throws -> String? {
        guard case .result(let found?, _) = try store.answer(.result(JobID(rawValue: id), .whole))
        else { return nil }
        return String(decoding: found.bytes, as: UTF8.self)
    }

    @Test(arguments: versions)
    func `a store of an earlier version has all that it had, and runs on`(version: Int) throws {
        let directory = try TemporaryDirectory()
        try make(version, at: directory.store)
        let store = try JobStore(path: directory.store)
        let file = try Connection(path: directory.store, mode: .readOnly)
        #expect(try file.row("PRAGMA user_version") == [.integer(Int64(Schema.steps.count))])
        #expect(try StoreFile.faults(in: file, reach: .whole) == [])
        let ills = try StoreCheckup(path: directory.store).findings(whole: true)
        #expect(ills.filter { !$0.faults.isEmpty } == [])

        let recovery = try store.recover(inFlight: [], at: now)
        #expect(recovery.run == RunID(rawValue: 2))
        #expect(recovery.reserved.lowerBound > 12)
        let ids = (1...Int64(12)).map(JobID.init)
        guard case .shown(let shown, _) = try store.answer(.show(ids)) else { return }
        let states = shown.map { $0?.job.state }
        #expect(
            states == [
                .succeeded, .succeeded, .failed, .succeeded, .succeeded, .succeeded, .cancelled,
                .queued, .succeeded, .queued, .queued, .queued,
            ]
        )
        #expect(shown[0]?.name == "answer")
        #expect(shown[0]?.tags == ["a", "b c"])
        #expect(shown[2]?.failure?.code == .sqlError)
        #expect(shown[2]?.pastAttempts.count == 1)
        #expect(shown[3]?.progress == Progress(done: 2, total: 2))
        #expect(try result(store, 1) == #"{"columns":["answer"],"rows":[[42]],"changes":0}"#)
        #expect(try result(store, 4) == #"{"count":168,"largest":997}"#)

        // A key is known, inputs are there, and what waited can end.
        let sent = Submission(spec: makeSpec(), key: "k1", fingerprint: 0)
        let again = Insertion(jobs: [sent], ids: 900...900, ticket: Ticket(rawValue: 1))
        guard case .refused(_, let refusal)? = try store.commit([.insert(again)], at: now).first
        else {
            Issue.record("The key k1 is not known.")
            return
        }
        #expect(refusal.code == "key_conflict")
        let late = QueueName(rawValue: "late") ?? .standard
        guard
            case .loaded(_, let waiting, _, _) = try store.answer(
                .load(Lane(late), limit: 9, now: now)
            )
        else { return }
        #expect(waiting.map(\.id.rawValue) == [10, 11])
        #expect(waiting.last?.spec.frames == [Spec.Frame(number: 2, bytes: Array("abc".utf8))])
        for id in [Int64(8), 10, 11, 12] {
            let attempt = shown[Int(id) - 1]?.job.attempt.next.rawValue ?? 1
            let report = makeReport(JobID(rawValue: id), attempt, success())
            guard case .ended? = try store.commit([.settle(report)], at: now).first else {
                Issue.record("job \(id) cannot end")
                continue
            }
            #expect(try result(store, id) == "[42]")
        }
        let sound = try StoreCheckup(path: directory.store).findings(whole: true)
        #expect(sound.filter { !$0.faults.isEmpty } == [])
    }

    @Test(arguments: versions)
    func `a store of an earlier version is looked at, and found sound`(version: Int) throws {
        let directory = try TemporaryDirectory()
        try make(version, at: directory.store)
        let found = try StoreCheckup(path: directory.store).findings(whole: true)
        #expect(found.filter { !$0.faults.isEmpty } == [])
        #expect(found.filter { $0.excuse != nil }.map(\.subject) == ["sums"])
        _ = try JobStore(path: directory.store)
        let now = try StoreCheckup(path: directory.store).findings(whole: true)
        #expect(now.allSatisfy { $0.faults.isEmpty && $0.excuse == nil })
    }

    @Test(arguments: versions)
    func `a migration for which there is no room changes nothing`(version: Int) throws {
        let directory = try TemporaryDirectory()
        try make(version, at: directory.store)
        // The last step does not fit: it stands for a disk that is full in the middle.
        let connection = try Connection(path: directory.store, mode: .readWrite)
        let pages = try connection.row("PRAGMA page_count")?.first
        #expect(throws: SQLiteError.self) {
            try connection.transaction { () throws(SQLiteError) in
                for step in Schema.steps.dropFirst(version) {
                    try connection.execute(script: step)
                }
                try connection.execute(script: "PRAGMA max_page_count = 1")
                try connection.execute(script: "CREATE TABLE filler (a) STRICT")
            }
        }
        #expect(try connection.row("PRAGMA user_version") == [.integer(Int64(version))])
        #expect(try connection.row("PRAGMA page_count")?.first == pages)
        _ = try JobStore(path: directory.store)
    }
}
