import Glibc
import JobTesting
import JobWire
import SQLite
import Testing

/// The first promise, with violence: what was acknowledged is there after any kill.
@Suite(.serialized) struct KillTests {
    private static let kills = 20

    private func start(
        program: String = "millrace",
        settings: [String: String] = [:]
    ) throws -> RunnerProcess {
        var options = RunnerProcess.Options()
        options.program = program
        options.settings = settings
        options.databases = ["user=@/user.db:write"]
        let runner = try RunnerProcess(options)
        let database = try Connection(path: runner.directory.path + "/user.db", mode: .create)
        try database.run("PRAGMA journal_mode = WAL")
        try database.run("CREATE TABLE marks (n INTEGER NOT NULL)")
        return runner
    }

    /// Load for a while, then a burst of submissions, and a kill while some of them are unanswered
    /// and jobs run.
    ///
    /// - Returns: False when that could not be had, and nobody was killed.
    private func killUnderLoad(
        _ book: KeptBook,
        _ kill: () throws -> Void
    ) throws -> Bool {
        let goal = book.acknowledged.count + 20 + book.below(100)
        while book.acknowledged.count < goal {
            if book.unansweredCount < 16 { try book.submit() }
            if book.below(3) == 0 { try book.peek() }
            try book.listen()
        }
        guard try book.running() > 0 else { return false }
        for _ in 0..<5 + book.below(40) { try book.submit() }
        // A random part of the answers is heard.
        for _ in 0..<book.below(200) { try book.listen() }
        guard book.unansweredCount > 0 else { return false }
        try kill()
        // What was sent before the end may still be on its way, and counts.
        try book.listen()
        return true
    }

    @Test func `twenty kills under load lose nothing that was acknowledged`() throws {
        let seed = UInt64.random(in: 0...9_999)
        print("Kill test, seed \(seed)")
        let runner = try start()
        let book = try KeptBook(Conversation(dealer: runner.ipc), seed: seed)
        var kills = 0
        var childKills = 0
        while kills < Self.kills {
            let spareSupervisor = book.below(4) == 0 && childKills < 3
            let lives = runner.readyCount
            let killed = try killUnderLoad(book) {
                if spareSupervisor {
                    let worker = try runner.worker()
                    kill(worker, SIGKILL)
                    try runner.waitForEnd(of: worker)
                } else {
                    try runner.killAll()
                }
            }
            guard killed else { continue }
            kills += 1
            if spareSupervisor {
                childKills += 1
                try runner.waitUntilReady(times: lives + 1)
            } else {
                try runner.restart()
                childKills = 0
            }
            let endpoint = book.below(2) == 0 ? runner.ipc : runner.tcp
            try book.reconnect(Conversation(dealer: endpoint))
        }
        try book.settle()
        try book.compareWithList()
        try book.readAll()
        try book.readAll()
        #expect(book.problems.isEmpty, "\(book.problems.prefix(10))")

        let client = try Conversation(runner.ipc)
        let counts = try client.ask("sys.stats")["counts"]
        #expect(counts?["succeeded"]?.integerValue == Int64(book.acknowledged.count))
        #expect(counts?["queued"] == 0 && counts?["running"] == 0 && counts?["failed"] == 0)
        try checkMarks(of: book, in: runner)
        print("\(book.acknowledged.count) jobs acknowledged over \(kills) kills")
    }

    /// Jobs that write into a user's database have their effect exactly once.
    private func checkMarks(of book: KeptBook, in runner: RunnerProcess) throws {
        let path = runner.directory.path + "/user.db"
        let database = try Connection(path: path, mode: .readOnly)
        let writers = book.acknowledged.keys.filter { KeptBook.Work(n: $0).writes }
        let found = try database.prepare("SELECT n, count(*) FROM marks GROUP BY n").all {
            (Int($0.integer(0)), $0.integer(1))
        }
        let counts = Dictionary(uniqueKeysWithValues: found)
        let wrong = writers.filter { counts[$0, default: 0] != 1 }
        #expect(wrong.isEmpty, "Not written exactly once: \(wrong.sorted())")
        #expect(counts.count == writers.count, "Nobody else wrote.")
    }

    @Test func `a runner that acknowledges before the commit is caught`() throws {
        let runner = try start(program: "millrace-test-runner", settings: ["TEST_STORE": "hasty"])
        let book = try KeptBook(Conversation(dealer: runner.ipc), seed: 1)
        for _ in 0..<Self.kills where book.problems.isEmpty {
            let killed = try killUnderLoad(book) { try runner.killAll() }
            guard killed else { continue }
            #expect(book.problems.isEmpty, "Before a kill nothing is wrong.")
            try runner.restart()
            try book.reconnect(Conversation(dealer: runner.ipc))
            try book.compareWithList()
        }
        #expect(!book.problems.isEmpty, "A broken promise is seen, whichever it is.")
    }
}
