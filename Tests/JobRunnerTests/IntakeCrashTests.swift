import Foundation
import JobCore
import Synchronization
import Testing

@testable import JobRunner

@Suite("The jobs directory, crash by crash") struct IntakeCrashTests {
    /// Goal: wherever the world stops, every file's jobs are in the store once, and its receipt and
    /// results exist in the end. Method: everything is run with a stop after the first call of the
    /// system, after the second, and so on, until it comes to its end; after each a new run starts.
    @Test(arguments: [true, false])
    func `a crash after any call loses nothing and runs nothing twice`(commits: Bool) throws {
        var calls = 0
        while true {
            calls += 1
            let scratch = try prepared()
            let ledger = Ledger(submissionJobs: 2)
            ledger.state.withLock { $0.isDeaf = !commits }
            let crashed = live(in: scratch, ledger, run: 1, crashAfter: calls)
            ledger.restart()
            #expect(!live(in: scratch, ledger, run: 2, crashAfter: nil))
            try check(scratch, ledger, "crash after call \(calls)")
            guard crashed else { break }
        }
        #expect(calls > 50, "the story has that many calls at least")
    }

    private func prepared() throws -> Scratch {
        let scratch = try Scratch(inMemory: true)
        try FileManager.default.createDirectory(
            atPath: scratch.path + "/refused",
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o755]
        )
        try scratch.write("earlier", "refused/bad.sql")
        try scratch.write("earlier reason", "refused/bad.sql.reason.txt")
        try scratch.write("-- nonsense: 1\nselect 1", "bad.sql")
        try scratch.write("select 1", "one.sql")
        try scratch.write("{}\n{}\n", "two.jsonl")
        try scratch.write("{\"n\":1}\n{\"n\":2}\n\n{\"n\":3}\n{\"n\":4}\n{\"n\":5}", "five.jsonl")
        try scratch.write("{}\n{}\n[]\n{}", "wrong.jsonl")
        try scratch.write("n\n1\n", "rows.csv")
        try scratch.write("-- each: rows.csv\nselect :n", "each.sql")
        return scratch
    }

    /// One run of the runner. True when it crashed.
    private func live(
        in scratch: Scratch,
        _ ledger: Ledger,
        run: Int64,
        crashAfter calls: Int?
    ) -> Bool {
        var left = calls ?? .max
        var crashed = false
        do throws(SpoolError) {
            let directory = try SpoolDirectory(
                path: scratch.path,
                run: RunID(rawValue: run)
            ) { call throws(SpoolError) in
                left -= 1
                guard left <= 0 else { return }
                crashed = true
                throw .system(call: call, path: "crash", code: EIO)
            }
            let settings = ledger.settings(scratch.path, run: run)
            let loop = IntakeLoop(directory: directory, settings: settings)
            for turn in Int64(0)..<30 where !crashed {
                loop.turn(now: turn * settings.stillnessMs)
                for notice in ledger.takeNotices() { loop.hear(notice, now: 0) }
            }
        } catch {
            crashed = true
        }
        return crashed
    }

    private func check(_ scratch: Scratch, _ ledger: Ledger, _ story: Comment) throws {
        #expect(try scratch.dropped.isEmpty, story)
        #expect(try scratch.names(in: "taken").isEmpty, story)
        let state = ledger.state.withLock { $0 }
        let each = Array(#"{"each":{"$frame":2},"sql":"select :n"}"#.utf8)
        #expect(state.bodies["each.sql"] == [each], story)
        let names = ["each.sql", "five.jsonl", "one.sql", "two.jsonl"]
        #expect(state.names.values.sorted() == names, story)
        let five = (1...5).map { Array("{\"n\":\($0)}".utf8) }
        #expect(state.bodies["five.jsonl"] == five, story)
        #expect(scratch.text("results/five.jsonl.json")?.count(of: "succeeded") == 5, story)
        #expect(state.stages.isEmpty, story)
        let wrong = scratch.text("refused/wrong.jsonl.reason.txt")
        #expect(wrong?.hasPrefix("Line 3, column 1: ") == true, story)
        for folder in ["done", "results"] {
            let hidden = try scratch.names(in: folder).filter { $0.hasPrefix(".") }
            #expect(hidden.isEmpty, story)
        }
        // A crash between the two moves leaves the number of its claim for that of its job.
        let rows = try scratch.names(in: "done").filter { $0.hasSuffix("-rows.csv") }
        #expect(rows.map { scratch.text("done/\($0)") } == ["n\n1\n"], story)
        #expect(state.closed == Set(state.names.keys), story)
        for (takenAs, ids) in state.ids {
            let name = try #require(SpoolDirectory.Taken(takenAs: takenAs)).name
            let receipt = ids.map { "\($0.rawValue)\n" }.joined()
            #expect(scratch.text("done/\(name).ids") == receipt, story)
            #expect(scratch.text("done/\(ids[0].rawValue)-\(name)") != nil, story)
            #expect(scratch.text("results/\(name).json")?.contains("succeeded") == true, story)
        }
        #expect(scratch.text("results/one.sql.csv") != nil, story)
        #expect(scratch.text("refused/bad.sql")?.hasPrefix("-- nonsense") == true, story)
        #expect(scratch.text("refused/bad.sql.reason.txt")?.hasPrefix("Line 1") == true, story)
        let older = try scratch.names(in: "refused").filter {
            $0.hasPrefix("older-") && $0.contains("-bad.sql")
        }
        #expect(
            older.map { scratch.text("refused/\($0)") } == ["earlier", "earlier reason"],
            story
        )
    }
}

extension String {
    fileprivate func count(of word: String) -> Int { ranges(of: word).count }
}
