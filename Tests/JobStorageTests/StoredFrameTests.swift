import Foundation
import JobCore
import JobTesting
import SQLite
import Testing

@testable import JobStorage

/// Frames that are too large to wait in memory with their job.
@Suite("Frames that stay in the store") struct StoredFrameTests {
    private func spec(_ kind: Spec.Kind = .sql, bytes: Int) -> Spec {
        var spec = makeSpec(writes: kind == .sql ? "main" : nil)
        spec.kind = kind
        spec.salt = kind == .sql ? 7 : nil
        spec.frames = [
            Spec.Frame(number: 2, bytes: Array(repeating: 1, count: bytes - 1)),
            Spec.Frame(number: 3, bytes: [9]),
        ]
        return spec
    }

    @Test(arguments: Kind.allCases)
    func `large frames of a SQL job stay, and all others go along`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let most = Spec.carriedFrameBytes
        let specs = [spec(bytes: most), spec(bytes: most + 1), spec(.compute, bytes: most + 1)]
        let ids = try store.insert(all: specs.map { makeJob($0) })
        let writing = try store.load(.standard, Turns(writes: "main")).jobs
        #expect(writing.map(\.id) == Array(ids.prefix(2)))
        #expect(writing.map(\.spec.frames) == [specs[0].frames, []])
        #expect(writing.map(\.spec.storedFrameBytes) == [0, most + 1])
        #expect(writing.map(\.spec) == specs.prefix(2).map { $0.leavingFrames() })
        let computing = try store.load().jobs
        #expect(computing.map(\.spec) == [specs[2]])
        // As it is put back after a run.
        let report = makeReport(ids[1], 1, .putBack)
        guard case .queued(let waiting)? = try store.commit(.settle(report)).first else {
            Issue.record("It waits again.")
            return
        }
        #expect(waiting.spec == specs[1].leavingFrames())
    }

    @Test func `what stays is read whole, and damage in it is an error`() throws {
        let directory = try TemporaryDirectory()
        let store = try JobStore(path: directory.store)
        let spec = spec(bytes: 100_000)
        let insertion = Insertion(
            jobs: [makeJob(spec)],
            ids: 1...1,
            ticket: Ticket(rawValue: 1)
        )
        _ = try store.commit([.insert(insertion)], at: Timestamp(rawValue: 1))
        let reader = try StoreReader(path: directory.store)
        #expect(try reader.frames(of: JobID(rawValue: 1)) == spec.frames)
        #expect(try reader.frames(of: JobID(rawValue: 2)) == nil)
        let connection = try Connection(path: directory.store, mode: .readWrite)
        try connection.run("UPDATE inputs SET bytes = x'08' WHERE job_id = 1 AND number = 3")
        let error = try #require(throws: StoreError.self) {
            try reader.frames(of: JobID(rawValue: 1))
        }
        guard case .corrupt = error else {
            Issue.record("\(error)")
            return
        }
    }
}
