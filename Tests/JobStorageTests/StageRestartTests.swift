import JobCore
import JobTesting
import Testing

@testable import JobStorage

/// Files in pieces whose pieces come again, cut otherwise or under other settings.
@Suite("Files in pieces, after a start") struct StageRestartTests {
    private let row = LargeFile.row

    /// Pieces are cut otherwise by another version, or under other settings.
    @Test(arguments: Kind.allCases)
    func `a piece may begin before the end of what is stored`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let file = LargeFile(of: 5, in: store)
        let all = [makeJob(key: "a"), makeJob(key: "b"), makeJob(), makeJob(key: "d"), makeJob()]
        _ = try store.commit(file.piece(Array(all[..<2]), at: 0))
        let facts = try store.commit(file.piece(Array(all[..<3]), at: 0))
        guard case .staged(_, let accepted, file.file, isAll: false)? = facts.first else {
            Issue.record("not staged: \(facts)")
            return
        }
        #expect(accepted.map(\.id) == Array(file.all[..<3]))
        #expect(accepted.map(\.created) == [false, false, true])
        let last = try store.commit(file.piece(Array(all[1...]), at: 1))
        guard case .staged(_, let rest, file.file, isAll: true)? = last.first else {
            Issue.record("not staged: \(last)")
            return
        }
        #expect(rest.map(\.id) == Array(file.all[1...]))
        #expect(try store.counts().queued == 5)
        try store.checkUp()
    }

    /// The rest would be stored under others than its beginning.
    @Test(arguments: Kind.allCases)
    func `a file is refused whose jobs mean something else than when it was begun`(
        kind: Kind
    ) throws {
        let store = try StoreUnderTest(kind)
        let file = LargeFile(of: 3, in: store)
        var spec = makeSpec()
        spec.frames = [Spec.Frame(number: 2, bytes: [1])]
        _ = try store.commit(file.piece([makeJob(spec), makeJob()], at: 0))
        guard case .staged? = try store.commit(file.piece([makeJob(spec), makeJob()], at: 0)).first
        else {
            Issue.record("the same is not told again")
            return
        }
        var slow = spec
        slow.timeoutMs += 1
        var other = spec
        other.skill = "elsewhere"
        for changed in [slow, other] {
            let piece = [makeJob(changed), makeJob()]
            #expect(refusal(try store.commit(file.piece(piece, at: 0))) == "settings_changed")
            let longer = piece + [makeJob()]
            #expect(refusal(try store.commit(file.piece(longer, at: 0))) == "settings_changed")
        }
        _ = try store.commit(file.piece(makeJobs(1), at: 2))
        let facts = try store.commit(file.piece([makeJob(slow), makeJob()], at: 0))
        guard case .staged? = facts.first else {
            Issue.record("what is stored whole stays so: \(facts)")
            return
        }
    }

    @Test func `the ledger tells whether all jobs of a file are stored, and made for it`() throws {
        let directory = try TemporaryDirectory()
        let store = try JobStore(path: directory.store)
        let reader = try StoreReader(path: directory.store)
        let now = Timestamp(rawValue: 1_000_000)
        func stage(_ jobs: [Submission], at place: Int) throws {
            let piece = FilePiece(row: row, total: 3, place: place, jobs: jobs)
            let staging = Staging(piece: piece, ids: 5...7, ticket: Ticket(rawValue: 1))
            _ = try store.commit([.stage(staging)], at: now)
        }
        #expect(try reader.storedFile(takenAs: row.takenAs) == nil)
        try stage(makeJobs(2), at: 0)
        #expect(try reader.storedFile(takenAs: row.takenAs) == nil)
        try stage(makeJobs(1), at: 2)
        var found = StoreReader.StoredFile(first: JobID(rawValue: 5), jobs: 3, areOwn: true)
        #expect(try reader.storedFile(takenAs: row.takenAs) == found)
        _ = try store.commit([.release(FileID(rawValue: 5))], at: now)
        #expect(try reader.storedFile(takenAs: row.takenAs) == found)
        let last = JobID(rawValue: 7)
        _ = try store.commit([.cancel([Target(last)], Ticket(rawValue: 2))], at: now)
        _ = try store.commit([.delete([last], Ticket(rawValue: 3))], at: now)
        found.areOwn = false
        #expect(try reader.storedFile(takenAs: row.takenAs) == found)
    }
}
