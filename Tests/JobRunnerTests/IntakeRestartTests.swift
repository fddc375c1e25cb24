import Foundation
import JobCore
import JobStorage
import JobTesting
import Logging
import Synchronization
import Testing

@testable import JobRunner

/// Files that a crash has left in `taken/`, under settings that are others by now.
@Suite("Files that an earlier run has begun") struct IntakeRestartTests {
    private func lines(_ count: Int) -> String {
        (1...count).map { "{\"n\":\($0)}\n" }.joined()
    }

    /// A run that ends when the store has the first pieces of a file.
    private func begin(_ text: String, until count: Int) throws -> IntakeBench {
        let bench = try IntakeBench(submissionJobs: 2)
        bench.turn()
        try bench.scratch.write(text, "a.jsonl")
        bench.loop.hear(DirectoryWatch.Events(arrivals: [("a.jsonl", .movedIn)]))
        func stored() -> Int {
            bench.ledger.state.withLock { $0.stages.values.first?.bodies.count ?? 0 }
        }
        while stored() < count {
            bench.loop.turn(now: 0)
            for notice in bench.ledger.takeNotices() { bench.loop.hear(notice, now: 0) }
        }
        return bench
    }

    @Test(arguments: [1, 3, 4, 100])
    func `a large file goes on where it was, however many jobs a submission may have`(
        submissionJobs: Int
    ) throws {
        let before = try begin(lines(7), until: 4)
        let bench = try IntakeBench(submissionJobs: submissionJobs, after: before)
        bench.turn()
        #expect(try bench.scratch.names(in: "refused") == [])
        #expect(bench.scratch.text("done/1000-a.jsonl") == lines(7))
        let receipt = (0..<7).map { "\(1_000 + $0)\n" }.joined()
        #expect(bench.scratch.text("done/a.jsonl.ids") == receipt)
        let bodies = bench.ledger.state.withLock { $0.bodies["a.jsonl"] }
        #expect(bodies == (1...7).map { Array("{\"n\":\($0)}".utf8) })
    }

    @Test func `a large file whose jobs mean something else by now is begun anew`() throws {
        let before = try begin(lines(7), until: 4)
        let bench = try IntakeBench(submissionJobs: 2, after: before)
        bench.ledger.state.withLock { $0.refusals = [.settingsChanged, .fileBeingRemoved] }
        bench.turn()
        #expect(bench.ledger.state.withLock { $0.dropped } == ["1-1-a.jsonl"])
        #expect(
            bench.log == ["The file \"a.jsonl\" was begun under other settings, and is begun anew."]
        )
        #expect(bench.filed == [])
        bench.turn(after: 1_000)
        #expect(bench.filed == ["a.jsonl"])
        #expect(try bench.scratch.names(in: "refused") == [])
        #expect(bench.ledger.state.withLock { $0.bodies["a.jsonl"]?.count } == 7)
    }

    @Test func `that a begun file has gone is told`() throws {
        let bench = try IntakeBench(submissionJobs: 2)
        bench.loop.hear(.begun(takenAs: "0-3-gone.jsonl"), now: 0)
        bench.turn()
        #expect(bench.log.count == 1)
        #expect(bench.log.first?.contains("\"gone.jsonl\"") == true)
        #expect(bench.log.first?.contains("removed") == true)
    }

    /// A file lies in `taken/` still, and the store has its jobs, made for it or not.
    private func keep(_ text: String, _ name: String, areOwn: Bool) throws -> IntakeBench {
        let bench = try IntakeBench(submissionJobs: 2)
        let takenAs = "0-1-\(name)"
        try bench.scratch.write(text, "taken/\(takenAs)")
        bench.ledger.state.withLock { state in
            state.ids[takenAs] = [7, 8, areOwn ? 9 : 3].map { JobID(rawValue: $0) }
        }
        return bench
    }

    @Test(arguments: [
        ("{\"jobs\":[{},{},{\"key\":\"refuse\"}]}", "a.json"),
        ("{}\n{\"key\":\"refuse\"}", "a.jsonl"), ("{}\n{}\n{\"key\":\"refuse\"}", "a.jsonl"),
        ("", "a.json"),
    ])
    func `no file is called refused whose jobs are stored`(text: String, name: String) throws {
        let bench = try keep(text, name, areOwn: true)
        bench.turn()
        #expect(try bench.scratch.names(in: "refused") == [])
        #expect(try bench.scratch.names(in: "taken") == [])
        #expect(bench.scratch.text("done/7-\(name)") == text)
        #expect(bench.scratch.text("done/\(name).ids") == "7\n8\n9\n")
        #expect(bench.log.count == 1)
        let start =
            "All jobs of the file \"\(name)\" are stored, though it would be refused by now. "
        #expect(bench.log.first?.hasPrefix(start) == true, "\(bench.log)")
    }

    @Test func `a receipt that might be wrong is not written`() throws {
        let bench = try keep("{}\n{}\n{\"key\":\"refuse\"}", "a.jsonl", areOwn: false)
        bench.turn()
        #expect(try bench.scratch.names(in: "refused") == [])
        #expect(try bench.scratch.names(in: "done") == ["7-a.jsonl"])
        #expect(bench.log.first?.contains("a.jsonl.ids") == true, "\(bench.log)")
    }

    @Test func `nothing is called refused before the store was asked`() throws {
        let bench = try keep("{}\n{\"key\":\"refuse\"}", "a.jsonl", areOwn: true)
        bench.ledger.state.withLock { $0.isUnreadable = true }
        bench.turn()
        #expect(try bench.scratch.names(in: "taken") == ["0-1-a.jsonl"])
        bench.ledger.state.withLock { $0.isUnreadable = false }
        bench.turn(after: 10_000)
        #expect(try bench.scratch.names(in: "done") == ["7-a.jsonl", "a.jsonl.ids"])
    }

    /// They would be forgotten.
    @Test func `a start fails that cannot read which files were begun`() throws {
        let directory = try TemporaryDirectory()
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let ledger = SpoolLedger(path: directory.path + "/jobs.db", Limits(), log)
        #expect(throws: StoreError.self) { try ledger.loadingFiles() }
        #expect(throws: StoreError.self) { try ledger.endedFiles() }
        _ = try JobStore(path: directory.path + "/jobs.db")
        #expect(try ledger.loadingFiles() == [])
        #expect(try ledger.endedFiles() == [])
    }
}
