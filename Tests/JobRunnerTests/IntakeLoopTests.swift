import Foundation
import JobCore
import Synchronization
import Testing

@testable import JobRunner

@Suite("The jobs directory, turn by turn") struct IntakeLoopTests {
    @Test func `a file that was found is taken when it was still for a second`() throws {
        let bench = try IntakeBench()
        try bench.scratch.write("select 1", "a.sql")
        bench.turn()
        bench.turn(after: 999)
        #expect(bench.filed == [])
        #expect(bench.loop.deadline(now: bench.now) == 1_000)

        try bench.scratch.write("select 1, 2", "a.sql")
        bench.turn(after: 1)
        #expect(bench.filed == [])
        bench.turn(after: 1_000)
        #expect(bench.filed == ["a.sql"])
    }

    @Test func `a file that was renamed in is taken at once`() throws {
        let bench = try IntakeBench()
        bench.turn()
        try bench.scratch.write("select 1", "a.sql")
        bench.arrive("a.sql")
        #expect(bench.filed == ["a.sql"])
        #expect(bench.scratch.text("done/a.sql.ids") == "1\n")
        #expect(bench.scratch.text("results/a.sql.csv") == "a\n1\n")
    }

    @Test func `a name that begins with a combining mark is a name`() throws {
        let bench = try IntakeBench()
        let names = ["\u{301}y.sql", "\u{308}.sql"]
        for name in names { try bench.scratch.write("select 1", name) }
        bench.turn()
        bench.turn(after: 1_000)
        #expect(bench.filed.sorted() == names)
        for name in names { #expect(bench.scratch.text("results/\(name).json") != nil) }
        #expect(try bench.scratch.names(in: "taken") == [])
        // Hidden by its first byte, whatever follows.
        #expect(Decision(name: ".\u{301}y.sql") == .ignore)
    }

    @Test func `a file that somebody has open for writing is not taken`() throws {
        let bench = try IntakeBench()
        try bench.scratch.write("select", "a.sql")
        let writer = try #require(FileHandle(forWritingAtPath: bench.scratch.path + "/a.sql"))
        bench.turn()
        bench.turn(after: 1_000)
        bench.arrive("a.sql")
        #expect(bench.filed == [])
        try writer.close()
        bench.turn(after: 1_000)
        #expect(bench.filed == ["a.sql"])
    }

    @Test func `lost events are made up for by looking`() throws {
        let bench = try IntakeBench()
        bench.turn()
        try bench.scratch.write("select 1", "a.sql")
        bench.loop.hear(DirectoryWatch.Events(overflowed: true))
        bench.turn()
        bench.turn(after: 1_000)
        #expect(bench.filed == ["a.sql"])
        try bench.scratch.write("select 1", "b.sql")
        bench.turn(after: 10_000)
        bench.turn(after: 1_000)
        #expect(bench.filed == ["a.sql", "b.sql"])
    }

    @Test(arguments: [429, 503])
    func `without room a file stays in hand, and nothing more is taken`(status: Int) throws {
        let bench = try IntakeBench()
        bench.turn()
        try bench.scratch.write("select 1", "a.sql")
        try bench.scratch.write("select 1", "b.sql")
        var refusal = Refusal(status, "no_room", "There is no room.")
        refusal.retryAfterMs = 5_000
        bench.ledger.state.withLock { $0.refusals = [refusal] }
        bench.arrive("a.sql")
        bench.arrive("b.sql")
        #expect(bench.filed == [])
        #expect(try bench.scratch.dropped == ["b.sql"])
        #expect(bench.loop.overview.pause == "There is no room.")
        #expect(bench.loop.deadline(now: 0) >= 5_000)

        bench.turn(after: 4_999)
        #expect(bench.filed == [])
        bench.turn(after: 1)
        #expect(bench.filed == ["a.sql", "b.sql"])
        #expect(bench.loop.overview.pause == nil)
        #expect(try bench.scratch.names(in: "taken").isEmpty)
    }

    @Test func `what the broker refuses lies in refused with its reason`() throws {
        let bench = try IntakeBench()
        bench.turn()
        try bench.scratch.write("select 1", "a.sql")
        let refusal = Refusal(
            409,
            "conflict",
            "The key is used.",
            hint: "Take another.",
            field: "key"
        )
        bench.ledger.state.withLock { $0.refusals = [refusal] }
        bench.arrive("a.sql")
        #expect(bench.scratch.text("refused/a.sql") == "select 1")
        let reason = bench.scratch.text("refused/a.sql.reason.txt")
        #expect(reason == "The key is used. (key)\nTake another.\n")
    }

    @Test func `the same name again is new work, and the newest drop has the name`() throws {
        let bench = try IntakeBench()
        bench.turn()
        for round in 1...3 {
            try bench.scratch.write("select \(round)", "a.sql")
            bench.arrive("a.sql")
            try bench.scratch.write("-- bad: \(round)", "b.sql")
            bench.arrive("b.sql")
        }
        #expect(
            try bench.scratch.names(in: "done") == ["1-a.sql", "2-a.sql", "3-a.sql", "a.sql.ids"]
        )
        #expect(bench.scratch.text("done/a.sql.ids") == "3\n")
        #expect(bench.scratch.text("results/a.sql.csv") == "a\n3\n")
        #expect(try bench.scratch.names(in: "refused").count == 6)
        #expect(bench.scratch.text("refused/b.sql") == "-- bad: 3")
    }

    /// Its row would go with its last job, and the file be new to the next start.
    @Test func `a file is not closed before it is put away`() throws {
        let bench = try IntakeBench()
        // As a run left it that crashed between the commit and the answer.
        try bench.scratch.write("select 1", "taken/0-7-a.sql")
        let (file, ids) = (FileID(rawValue: 1), [JobID(rawValue: 1)])
        bench.ledger.state.withLock { state in
            state.ids["0-7-a.sql"] = ids
            state.names[file] = "a.sql"
            state.isDeaf = true
        }
        bench.loop.hear(.ended(file), now: 0)
        bench.turn()
        #expect(bench.scratch.text("results/a.sql.csv") != nil)
        #expect(bench.ledger.state.withLock { $0.closed } == [])
        bench.loop.hear(.accepted(takenAs: "0-7-a.sql", ids: ids), now: 0)
        bench.turn()
        #expect(try bench.scratch.names(in: "done") == ["1-a.sql", "a.sql.ids"])
        #expect(bench.ledger.state.withLock { $0.closed } == [file])
    }

    @Test func `an older drop that ends later does not replace newer results`() throws {
        let scratch = try Scratch(inMemory: true)
        let directory = try SpoolDirectory(path: scratch.path, run: RunID(rawValue: 1))
        for id in [Int64(7), 3] {
            let end = JobEnd(
                id: JobID(rawValue: id),
                state: .cancelled,
                attempt: .none,
                failure: Failure(.cancelled, "Called off.")
            )
            let jobs = [FileResults.Job(JobResult(end: end))]
            try directory.publish(FileResults(name: "a.sql", takenAs: "1-1-a.sql", jobs: jobs))
        }
        #expect(try scratch.names(in: "results") == ["3-a.sql.json", "a.sql.json"])
        #expect(scratch.text("results/a.sql.json")?.contains("\"id\": 7") == true)
    }

    @Test func `hostile files are refused with a reason, and nothing outside is touched`() throws {
        let bench = try IntakeBench()
        let outside = try Scratch()
        try outside.write("secret", "secret.sql")
        let path = bench.scratch.path
        symlink(outside.path + "/secret.sql", path + "/link.sql")
        symlink(outside.path, path + "/folder.sql")
        symlink("nowhere", path + "/dangling.json")
        mkfifo(path + "/pipe.sql", 0o600)
        mkdir(path + "/directory.sql", 0o700)
        try bench.scratch.write("", "empty.sql")
        for name in ["big.json", "big.jsonl"] {
            let big = try #require(FileHandle(forWritingAtPath: emptyFile(path + "/" + name)))
            try big.truncate(atOffset: UInt64(JobFile.bytesMax + 1))
            try big.close()
        }

        bench.turn()
        bench.turn(after: 1_000)
        #expect(bench.filed == [])
        #expect(try bench.scratch.dropped == ["directory.sql"])
        for name in ["link.sql", "folder.sql", "dangling.json", "pipe.sql"] {
            let reason = bench.scratch.text("refused/\(name).reason.txt")
            #expect(reason?.contains("no regular file") == true, "\(name)")
        }
        #expect(bench.scratch.text("refused/big.json.reason.txt")?.contains("16777217") == true)
        let line = bench.scratch.text("refused/big.jsonl.reason.txt")
        #expect(line?.contains("The line has more than 16777216 bytes.") == true)
        #expect(bench.scratch.text("refused/empty.sql.reason.txt")?.contains("no SQL") == true)
        #expect(try outside.names() == ["secret.sql"])
        #expect(outside.text("secret.sql") == "secret")
    }

    @Test func `what is no file of jobs stays, and is listed where somebody may have meant it`()
        throws
    {
        let bench = try IntakeBench()
        let long = String(repeating: "x", count: 197) + ".sql"
        let longest = String(long.dropFirst())
        let odd = ["-rf.sql", "a..sql", "a\nb.sql", "1-2-c.sql", longest]
        for name in odd + [".hidden.sql", "a.sql~", "b.sql.part", "c.txt", "..sql", long] {
            try bench.scratch.write("select 1", name)
        }
        close(open(bench.scratch.path + "/\u{1}", O_CREAT | O_CLOEXEC, 0o600))
        bench.turn()
        bench.turn(after: 1_000)
        #expect(bench.filed == odd.sorted())
        #expect(Set(bench.loop.overview.listed.keys) == ["c.txt", "\u{1}", long])
        let left = [".hidden.sql", "a.sql~", "b.sql.part", "c.txt", "..sql", long, "\u{1}"]
        #expect(try bench.scratch.dropped == left.sorted())
    }

    @Test func `a file that somebody put into taken without our name is left alone`() throws {
        let bench = try IntakeBench()
        try bench.scratch.write("select 1", "taken/mine.sql")
        try bench.scratch.write("select 1", "taken/0-9-late.sql")
        bench.turn()
        #expect(bench.filed == ["late.sql"])
        #expect(try bench.scratch.names(in: "taken") == ["mine.sql"])
    }

    /// A power cut must not give a file back whose jobs are in the store, nor take away results
    /// that were said to be there.
    @Test func `nothing is said of a file before its steps are synced`() throws {
        let scratch = try Scratch(inMemory: true)
        try scratch.write("select 1", "a.sql")
        try scratch.write("select 1", "b.sql")
        let ledger = Ledger()
        let story = Story()
        var settings = ledger.settings(scratch.path)
        let tell = settings.say
        settings.say = { event in
            if case .filed = event { story.add("filed") } else { story.add("closed") }
            tell(event)
        }
        let directory = try SpoolDirectory(path: scratch.path, run: settings.run) { call in
            story.add(call)
        }
        let loop = IntakeLoop(directory: directory, settings: settings)
        for turn in Int64(0)..<4 {
            loop.turn(now: turn * 1_000)
            for notice in ledger.takeNotices() { loop.hear(notice, now: 0) }
        }
        let steps = story.steps.filter { ["rename", "fsync", "filed", "closed"].contains($0) }
        let text = steps.joined(separator: " ")
        #expect(text.contains("rename rename fsync fsync filed filed"), "\(text)")
        #expect(text.hasSuffix("rename fsync fsync fsync closed closed"), "\(text)")
    }

    private final class Story: Sendable {
        private let told = Mutex<[String]>([])
        var steps: [String] { told.withLock { $0 } }
        func add(_ step: String) { told.withLock { $0.append(step) } }
    }

    @Test func `a step that fails is done later and holds up no other file`() throws {
        let bench = try IntakeBench()
        bench.turn()
        mkdir(bench.scratch.path + "/done/a.sql.ids", 0o700)
        for name in ["a.sql", "b.sql"] {
            try bench.scratch.write("select 1", name)
            bench.arrive(name)
        }
        #expect(bench.scratch.text("done/b.sql.ids") == "2\n")
        #expect(bench.loop.overview.failure?.contains("a.sql.ids") == true)
        #expect(try bench.scratch.names(in: "taken") == ["1-1-a.sql"])

        rmdir(bench.scratch.path + "/done/a.sql.ids")
        bench.turn(after: 10_000)
        #expect(bench.scratch.text("done/a.sql.ids") == "1\n")
        #expect(bench.loop.overview.failure == nil)
        #expect(try bench.scratch.names(in: "taken").isEmpty)
        #expect(bench.ledger.state.withLock { $0.filings.values.allSatisfy { $0 == 1 } })
    }

    @Test func `a directory that others can change is refused`() throws {
        let scratch = try Scratch()
        let run = RunID(rawValue: 1)
        chmod(scratch.path, 0o777)
        #expect(throws: SpoolError.worldWritable(path: scratch.path)) {
            try SpoolDirectory(path: scratch.path, run: run)
        }
        chmod(scratch.path, 0o1777)
        _ = try SpoolDirectory(path: scratch.path, run: run)

        chmod(scratch.path + "/taken", 0o777)
        #expect(throws: SpoolError.notOurs(path: scratch.path + "/taken")) {
            try SpoolDirectory(path: scratch.path, run: run)
        }
        rmdir(scratch.path + "/taken")
        symlink("/tmp", scratch.path + "/taken")
        #expect(throws: SpoolError.notOurs(path: scratch.path + "/taken")) {
            try SpoolDirectory(path: scratch.path, run: run)
        }
    }

    private func emptyFile(_ path: String) -> String {
        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600))
        return path
    }
}
