import Foundation
import JobCore
import Synchronization
import Testing

@testable import JobRunner

/// Files of lines that hold more jobs than one submission.
@Suite("Large files in the jobs directory") struct IntakeStagingTests {
    private func lines(_ count: Int) -> String {
        (1...count).map { "{\"n\":\($0)}\n" }.joined()
    }

    private func drop(_ text: String, on bench: IntakeBench, _ name: String = "a.jsonl") throws {
        bench.turn()
        try bench.scratch.write(text, name)
        bench.arrive(name)
    }

    @Test func `a file with one job more than a submission may hold comes in pieces`() throws {
        let bench = try IntakeBench(submissionJobs: 4)
        try drop(lines(4), on: bench, "whole.jsonl")
        try drop(lines(5), on: bench, "pieces.jsonl")
        let filings = bench.ledger.state.withLock { $0.filings.values.sorted() }
        #expect(filings == [1, 2])
        let receipt = (0..<5).map { "\(2_000 + $0)\n" }.joined()
        #expect(bench.scratch.text("done/pieces.jsonl.ids") == receipt)
        #expect(bench.scratch.text("done/2000-pieces.jsonl") == lines(5))
        let results = bench.scratch.text("results/pieces.jsonl.json") ?? ""
        let found = try JSONSerialization.jsonObject(with: Data(results.utf8)) as? [String: Any]
        #expect((found?["jobs"] as? [Any])?.count == 5)
    }

    @Test(arguments: [
        ("{\"n\":1}\n\n{\"n\":2}\n{\"n\":3}\n  {\"key\":\"refuse\"}", "Line 5, column 10: "),
        ("{\"n\":1}\n{}\n{}\n{}\n{\"n\":\u{e4}}", "Line 5, column 6: "),
        ("{}\n{}\n{}\n{}\n{\"after\":[1]} ", "Line 5, column 10: In a file of so many jobs"),
        ("\u{feff}{}\n{}\n{}\n", "Line 1, column 1: The file begins with a byte order mark."),
    ])
    func `a bad line anywhere refuses the whole file`(text: String, reason: String) throws {
        let bench = try IntakeBench(submissionJobs: 2)
        try drop(text, on: bench)
        let found = bench.scratch.text("refused/a.jsonl.reason.txt")
        #expect(found?.hasPrefix(reason) == true, "\(found ?? "no reason")")
        #expect(bench.scratch.text("refused/a.jsonl") == text)
        let state = bench.ledger.state.withLock { $0 }
        #expect(state.stages.isEmpty && state.ids.isEmpty)
        #expect(state.dropped == ["1-1-a.jsonl"])
        #expect(try bench.scratch.names(in: "done").isEmpty)
    }

    @Test func `what the store refuses is told with the line`() throws {
        let bench = try IntakeBench(submissionJobs: 2)
        let refusal = Refusal.keyConflict("k", with: JobID(rawValue: 7), at: 1)
        bench.ledger.state.withLock { $0.refusals = [refusal] }
        try drop("\n{}\n\n{\"key\":\"k\"}\n{}\n", on: bench)
        let reason = bench.scratch.text("refused/a.jsonl.reason.txt")
        #expect(reason?.hasPrefix("Line 4: The key k belongs to job 7") == true, "\(reason ?? "")")
    }

    @Test(arguments: [429, 503])
    func `without room the same piece comes again later`(status: Int) throws {
        let bench = try IntakeBench(submissionJobs: 2)
        let refusal = Refusal(status, "no_room", "There is no room.")
        bench.ledger.state.withLock { $0.refusals = [refusal] }
        try drop(lines(5), on: bench)
        #expect(bench.filed == [])
        bench.turn(after: 1_000)
        #expect(bench.filed == ["a.jsonl"])
        let bodies = bench.ledger.state.withLock { $0.bodies["a.jsonl"] }
        #expect(bodies == (1...5).map { Array("{\"n\":\($0)}".utf8) })
    }

    @Test func `small files go their way between the pieces of a large one`() throws {
        let bench = try IntakeBench(submissionJobs: 2)
        bench.turn()
        try bench.scratch.write(lines(7), "a.jsonl")
        try bench.scratch.write("select 1", "b.sql")
        bench.loop.hear(DirectoryWatch.Events(arrivals: [("a.jsonl", .movedIn)]))
        for _ in 0..<5 { bench.loop.turn(now: 0) }
        #expect(bench.filed == [])
        bench.loop.hear(DirectoryWatch.Events(arrivals: [("b.sql", .movedIn)]))
        bench.loop.turn(now: 0)
        #expect(bench.filed == ["b.sql"])
        bench.turn()
        #expect(bench.filed == ["a.jsonl", "b.sql"])
    }

    /// Drops the file, and changes it in `taken/` when it was counted and a part of it is stored.
    private func drop(
        _ text: String,
        on bench: IntakeBench,
        changedTo other: (String) -> String
    ) throws {
        bench.turn()
        try bench.scratch.write(text, "a.jsonl")
        bench.loop.hear(DirectoryWatch.Events(arrivals: [("a.jsonl", .movedIn)]))
        while bench.ledger.state.withLock({ $0.stages.isEmpty }) { bench.loop.turn(now: 0) }
        let path = bench.scratch.path + "/taken/1-1-a.jsonl"
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.write(contentsOf: Data(other(text).utf8))
        try file.close()
        bench.turn()
    }

    @Test(arguments: ["{\"n\":6}\n", "\n"])
    func `a file that grows while it is stored is refused`(more: String) throws {
        let bench = try IntakeBench(submissionJobs: 2)
        try drop(lines(5), on: bench) { $0 + more }
        #expect(bench.filed == [])
        let reason = bench.scratch.text("refused/a.jsonl.reason.txt")
        #expect(reason?.contains("was changed while it was being read") == true, "\(reason ?? "")")
        #expect(bench.ledger.state.withLock { $0.dropped } == ["1-1-a.jsonl"])
    }

    /// The second reading begins in the middle: the first slice was read before.
    @Test func `a file that is written over while it is stored is refused`() throws {
        let pad = String(repeating: " ", count: LineStream.sliceBytes)
        let bench = try IntakeBench(submissionJobs: 2)
        try drop(lines(3) + pad + lines(3), on: bench) {
            String($0.dropLast(3)) + "8}\n"
        }
        #expect(bench.filed == [])
        #expect(bench.scratch.text("refused/a.jsonl.reason.txt")?.contains("changed") == true)
    }

    @Test func `a small file whose key is being stored waits alone`() throws {
        let bench = try IntakeBench(submissionJobs: 2)
        bench.turn()
        let refusal = Refusal.keyBeingStored("k", at: nil)
        bench.ledger.state.withLock { $0.refusals = [refusal] }
        try bench.scratch.write("select 1", "a.sql")
        bench.arrive("a.sql")
        #expect(bench.loop.overview.pause == nil)
        #expect(bench.loop.overview.failure?.contains("a.sql") == true)
        try drop(lines(5), on: bench, "b.jsonl")
        try bench.scratch.write("select 1", "c.sql")
        bench.arrive("c.sql")
        #expect(bench.filed == ["b.jsonl", "c.sql"])
        bench.turn(after: 10_000)
        #expect(bench.filed == ["a.sql", "b.jsonl", "c.sql"])
        #expect(bench.loop.overview.failure == nil)
    }

    @Test func `a large file whose key is being stored lets the other one come first`() throws {
        let bench = try IntakeBench(submissionJobs: 2)
        bench.turn()
        let refusal = Refusal.keyBeingStored("k", at: 1)
        bench.ledger.state.withLock { $0.refusals = [refusal] }
        try drop(lines(5), on: bench)
        try drop(lines(5), on: bench, "b.jsonl")
        #expect(bench.filed == ["b.jsonl"])
        bench.turn(after: 10_000)
        #expect(bench.filed == ["a.jsonl", "b.jsonl"])
    }

    @Test func `small files go their way past any number of large ones, which has a limit`() throws
    {
        let bench = try IntakeBench(submissionJobs: 1)
        bench.turn()
        bench.ledger.state.withLock { $0.isDeaf = true }
        let names = (0...IntakeLoop.largeMax).map { "\($0).jsonl" }
        for name in names { try bench.scratch.write(lines(2), name) }
        let arrivals = names.map { (name: $0, arrival: Arrival.movedIn) }
        bench.loop.hear(DirectoryWatch.Events(arrivals: arrivals))
        for _ in 0..<20 { bench.loop.turn(now: 0) }
        #expect(try bench.scratch.names(in: "taken").count == IntakeLoop.largeMax)
        #expect(try bench.scratch.dropped == [names.last])
        try bench.scratch.write("select 1", "a.sql")
        bench.arrive("a.sql")
        #expect(try bench.scratch.names(in: "taken").contains { $0.hasSuffix("a.sql") })
        bench.turn(after: 10_000)
        bench.turn(after: 1_000)
        #expect(try bench.scratch.dropped == [names.last])
        #expect(bench.loop.deadline(now: bench.now) > bench.now)
    }

    @Test func `a retry while long results are written is in them`() throws {
        let bench = try IntakeBench(submissionJobs: 2)
        bench.turn()
        try bench.scratch.write(lines(9), "a.jsonl")
        bench.loop.hear(DirectoryWatch.Events(arrivals: [("a.jsonl", .movedIn)]))
        while !bench.loop.isWritingResults {
            bench.loop.turn(now: 0)
            for notice in bench.ledger.takeNotices() { bench.loop.hear(notice, now: 0) }
        }
        bench.ledger.state.withLock { $0.attempt = 2 }
        bench.loop.hear(.ended(FileID(rawValue: 1_000)), now: 0)
        bench.turn()
        let results = bench.scratch.text("results/a.jsonl.json") ?? ""
        #expect(results.ranges(of: "\"attempt\": 2").count == 9)
        #expect(results.ranges(of: "\"attempt\": 1").isEmpty)
    }

    @Test func `long results are written one after the other`() throws {
        let bench = try IntakeBench(submissionJobs: 2)
        bench.ledger.state.withLock { $0.isDeaf = true }
        for place in Int64(1)...3 {
            let name = "\(place).jsonl"
            let file = FileID(rawValue: place * 100)
            bench.ledger.state.withLock { state in
                state.ids["1-\(place)-\(name)"] = (0..<9).map {
                    JobID(rawValue: place * 100 + $0)
                }
                state.names[file] = name
            }
            bench.loop.hear(.ended(file), now: 0)
        }
        var most = 0
        while bench.loop.deadline(now: 0) <= 0 {
            bench.loop.turn(now: 0)
            let names = try bench.scratch.names(in: "results")
            most = max(most, names.count { $0.hasPrefix(".") })
        }
        #expect(most == 1)
        let names = ["1.jsonl.json", "2.jsonl.json", "3.jsonl.json"]
        #expect(try bench.scratch.names(in: "results") == names)
        for name in names {
            #expect(bench.scratch.text("results/" + name)?.ranges(of: "succeeded").count == 9)
        }
    }

    /// Whatever somebody drops, the notes of others are not written over.
    @Test func `what is being written has a name that no note has`() throws {
        let scratch = try Scratch(inMemory: true)
        let long = String(repeating: "x", count: 239) + ".jsonl"
        let directory = try SpoolDirectory(path: scratch.path, run: RunID(rawValue: 1))
        let file = try #require(SpoolDirectory.Taken(takenAs: "3-1-" + long))
        try directory.beginReceipt(of: file)
        #expect(try scratch.names(in: "done") == [".3-1-receipt"])
        let end = JobEnd(id: JobID(rawValue: 7), state: .succeeded, attempt: .none, failure: nil)
        let jobs = [FileResults.Job(JobResult(end: end))]
        let part = FileResults(name: long, takenAs: file.takenAs, jobs: jobs, next: end.id)
        let draft = try directory.draft(FileID(rawValue: 5), part)
        #expect(try scratch.names(in: "results") == [".results-5"])
        draft?.discard()
    }

    @Test func `a file that has gone from taken does not come to its end`() throws {
        let bench = try IntakeBench(submissionJobs: 2)
        bench.loop.hear(.begun(takenAs: "0-3-gone.jsonl"), now: 0)
        bench.turn()
        #expect(bench.ledger.state.withLock { $0.dropped } == ["0-3-gone.jsonl"])
    }

    @Test func `a line that is too long is told, and not held`() throws {
        var stream = LineStream(limits: Limits(), parse: parseLoosely)
        stream.add(Array("{}\n{}\n".utf8))
        let slice = [UInt8](repeating: UInt8(ascii: " "), count: 1 << 20)
        for _ in 0..<16 {
            stream.add(slice)
            #expect(try stream.next() == nil)
        }
        stream.add([UInt8(ascii: " ")])
        #expect(throws: JobFileProblem.self) { try stream.next() }
    }

    @Test func `a piece has at most so many jobs and bytes, and they are those of the file`() throws
    {
        var stream = LineStream(limits: Limits(), parse: parseLoosely)
        let pad = String(repeating: "x", count: 900)
        let text = Array((1...3_000).map { "{\"n\":\($0),\"s\":\"\(pad)\"}\n" }.joined().utf8)
        var place = 0
        var counts: [Int] = []
        var bodies: [[UInt8]] = []
        while !stream.isDone {
            if let jobs = try stream.next() {
                counts.append(jobs.count)
                bodies += jobs.map(\.spec.body)
            } else {
                let end = min(place + LineStream.sliceBytes, text.count)
                stream.add(Array(text[place..<end]))
                place = end
            }
        }
        #expect(counts.max() == 1_000)
        #expect(bodies.count == 3_000)
        #expect(bodies.last?.starts(with: Array("{\"n\":3000,".utf8)) == true)
    }
}
