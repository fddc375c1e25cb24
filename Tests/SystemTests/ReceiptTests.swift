import Foundation
import JobTesting
import JobWire
import SQLite
import Testing

/// Exactly once, seen from outside: jobs that write to a database of the user's, through kills,
/// cancels and workers that do not listen.
@Suite(.serialized) struct ReceiptTests {
    private func start(
        workers: Int = 2,
        program: String = "millrace",
        settings: [String: String] = [:],
        database: String = "@/user.db"
    ) throws -> RunnerProcess {
        var options = RunnerProcess.Options()
        options.workers = workers
        options.program = program
        options.settings = settings
        options.databases = ["user=\(database):write"]
        let runner = try RunnerProcess(options)
        let path = database.replacingOccurrences(of: "@", with: runner.directory.path)
        let user = try Connection(path: path, mode: .create)
        user.setBusyTimeout(milliseconds: 5_000)
        try user.execute(
            script: """
                PRAGMA journal_mode = WAL;
                CREATE TABLE IF NOT EXISTS marks (n INTEGER NOT NULL);
                CREATE TABLE IF NOT EXISTS counter AS SELECT 0 AS value;
                """
        )
        return runner
    }

    private func job(_ sql: String, _ more: String = "") -> String {
        let sql = String(decoding: JSON.string(sql).encoded(), as: UTF8.self)
        return #"{"sql":\#(sql),"database":"user","mode":"write"\#(more)}"#
    }

    private func marking(_ n: Int, _ more: String = "") -> String {
        job("INSERT INTO marks VALUES (\(n)); UPDATE counter SET value = value + 1", more)
    }

    private func number(_ sql: String, _ runner: RunnerProcess) throws -> Int64 {
        let path = runner.directory.path + "/user.db"
        let user = try Connection(path: path, mode: .readOnly)
        user.setBusyTimeout(milliseconds: 5_000)
        let rows = try user.rows(sql)
        guard case .integer(let number)? = rows.first?.first else { return -1 }
        return number
    }

    private func marks(of n: Int, _ runner: RunnerProcess) throws -> Int64 {
        try number("SELECT count(*) FROM marks WHERE n = \(n)", runner)
    }

    // MARK: Kills

    /// Where the runner is killed: at the Nth of these calls that concerns this file.
    static let places: [(call: String, file: String, at: ClosedRange<Int>)] = [
        ("pwrite64", "user.db-wal", 1...200), ("fdatasync", "user.db-wal", 1...40),
        ("pwrite64", "state/millrace.db-wal", 40...300),
        ("fdatasync", "state/millrace.db-wal", 8...60),
    ]

    /// Goal: wherever the runner is killed around the commits of the user's database and of the
    /// store, each job has its effect once, and succeeds.
    @Test func `a kill in the middle of any commit leaves every effect once`() throws {
        let strace = try #require(
            ["/usr/bin/strace", "/bin/strace"].first(where: FileManager.default.isExecutableFile),
            "strace must be installed: run deploy/test"
        )
        let runner = try start()
        let (plain, jobs) = (runner.options, 40)
        var kills = 0
        for round in 0..<testCount(8) {
            let place = Self.places[round % Self.places.count]
            try runner.killAll()
            var options = plain
            options.supervised = false
            options.wrapper = [
                strace, "-f", "-o", "/dev/null", "-P", "@/\(place.file)", "-e",
                "inject=\(place.call):signal=KILL:when=\(Int.random(in: place.at))",
            ]
            try runner.restart(options)
            let numbers = round * jobs..<(round + 1) * jobs
            let bodies = numbers.map { marking($0, #","key":"k\#($0)""#) }
            let dealer = try Conversation(dealer: runner.ipc)
            for body in bodies { try dealer.say("job.submit", body) }
            let isKilled = (try? runner.process.waitForEnd(within: .seconds(3))) != nil
            kills += isKilled ? 1 : 0
            if !isKilled {
                kill(try runner.worker(), SIGKILL)
                try runner.process.waitForEnd()
            }

            try runner.restart(plain)
            let client = try Conversation(runner.ipc)
            for (n, body) in zip(numbers, bodies) {
                let said = try client.result(client.submit(body))
                #expect(said.state == "succeeded", "\(said.head)")
                #expect(try marks(of: n, runner) == 1, "round \(round), \(place), job \(n)")
            }
            #expect(try number("SELECT value FROM counter", runner) == Int64((round + 1) * jobs))
        }
        print("\(kills) kills in the middle of a call")
    }

    /// Where the runner is killed while jobs share a transaction, and whether that is durable then.
    static let moments = [
        ("after-RELEASE", false), ("before-COMMIT", false), ("after-COMMIT", true),
    ]

    /// Goal: effects that share a commit are all there or none, and each is there once in the end.
    @Test(arguments: moments)
    func `a kill around the commit that jobs share leaves every effect once`(
        moment: String,
        hasCommitted: Bool
    ) throws {
        let runner = try start(workers: 1, program: "millrace-test-runner")
        try runner.killAll()
        let supervised = runner.options
        var alone = supervised
        alone.supervised = false
        try runner.restart(alone)
        let client = try Conversation(runner.ipc)
        #expect(try client.result(client.submit(marking(0))).state == "succeeded")
        _ = try client.ask("queue.pause")
        let ids = try (1...20).map { try client.submit(marking($0)) }
        try Data().write(to: URL(filePath: runner.directory.path + "/user.db-" + moment))
        let dealer = try Conversation(dealer: runner.ipc)
        try dealer.say("queue.resume", "")
        try runner.process.waitForEnd()
        let done = try number("SELECT value FROM counter", runner) - 1
        #expect(hasCommitted ? done > 1 : done == 0, "\(done) jobs in the first transaction")

        try runner.restart(supervised)
        let after = try Conversation(runner.ipc)
        for (id, n) in zip(ids, 1...20) {
            #expect(try after.result(id).state == "succeeded")
            #expect(try marks(of: n, runner) == 1)
        }
        #expect(try number("SELECT value FROM counter", runner) == 21)
    }

    // MARK: Cancels and time-outs

    /// Goal: what is asked of a run that writes is a request; its answer is what it did.
    @Test func `a cancel or a time-out is true to what was written`() throws {
        let runner = try start()
        let client = try Conversation(runner.ipc)
        var states: [String: Int] = [:]
        for n in 0..<testCount(60) {
            let busy = "SELECT count(*) FROM (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL "
            let sql =
                "INSERT INTO marks VALUES (\(n)); \(busy)SELECT i+1 FROM c "
                + "WHERE i < \(Int.random(in: 1...40_000))) SELECT i FROM c)"
            let timeout = n % 2 == 0 ? "" : #","timeout_ms":\#(Int.random(in: 1...20))"#
            let id = try client.submit(job(sql, timeout + #","max_attempts":1"#))
            if n % 2 == 0 { _ = try client.ask("job.cancel", #"{"id":\#(id)}"#) }
            let said = try client.result(id)
            let state = try #require(said.state)
            states[state, default: 0] += 1
            #expect(try marks(of: n, runner) == (state == "succeeded" ? 1 : 0), "\(said.head)")
        }
        print("Ends of runs that were told to stop: \(states)")
    }

    // MARK: Workers that do not listen

    private let impatient = ["STUCK_MS": "100", "DRAIN_MS": "200"]

    private func waitUntilGivenUp(_ client: Conversation) throws {
        try eventually("a worker is given up") { () -> Void? in
            let alarms = try client.ask("sys.stats")["alarms"]?.arrayValue ?? []
            return alarms.isEmpty ? nil : ()
        }
    }

    @Test func `a stuck run keeps its turn until it has said how it ended`() throws {
        let runner = try start(program: "millrace-test-runner", settings: impatient)
        let client = try Conversation(runner.ipc)
        let stuck = try client.submit(
            job(
                "INSERT INTO marks VALUES (1); SELECT unistr(1500)",
                #","timeout_ms":100,"max_attempts":1"#
            )
        )
        let next = try client.submit(marking(2))
        try waitUntilGivenUp(client)
        #expect(try client.show(stuck).state == "running", "It may still commit.")
        #expect(try client.show(next).state == "queued")
        let said = try client.result(stuck)
        #expect(said.state == "failed" && said.errorCode == "timeout", "\(said.head)")
        #expect(try client.result(next).state == "succeeded")
        #expect(try marks(of: 1, runner) == 0)
        #expect(try marks(of: 2, runner) == 1)
    }

    @Test func `a stuck run that has not begun to write is buried, and runs again`() throws {
        let runner = try start(program: "millrace-test-runner", settings: impatient)
        let path = runner.directory.path + "/user.db"
        let client = try Conversation(runner.ipc)
        for end in ["-held", "-hang"] { try Data().write(to: URL(filePath: path + end)) }
        let id = try client.submit(marking(1, #","timeout_ms":100"#))
        let said = try client.result(id)
        #expect(said.state == "succeeded" && said["attempt"] == 2, "\(said.head)")
        let graves = "SELECT count(*) FROM millrace_receipts WHERE format IS NULL AND attempt = 1"
        #expect(try number(graves, runner) == 1)
        try FileManager.default.removeItem(atPath: path + "-held")
        for n in 2..<12 {
            #expect(try client.result(client.submit(marking(n))).state == "succeeded")
        }
        #expect(try number("SELECT value FROM counter", runner) == 11)
        #expect(try number(graves, runner) == 1, "It may come as long as the process lives.")
    }

    @Test func `a process that ends with a stuck run tells from the receipt what it did`() throws {
        let runner = try start(program: "millrace-test-runner", settings: impatient)
        let client = try Conversation(runner.ipc)
        let id = try client.submit(
            job("INSERT INTO marks SELECT 1 WHERE unistr(600000)", #","timeout_ms":100"#)
        )
        try waitUntilGivenUp(client)
        _ = try client.ask("job.cancel", #"{"id":\#(id)}"#)
        #expect(try client.show(id).state == "running")
        try runner.killAll()
        try runner.restart()
        let said = try Conversation(runner.ipc).result(id)
        #expect(said.state == "cancelled", "\(said.head)")
        #expect(try marks(of: 1, runner) == 0)
    }

    // MARK: Removal, neighbours, backups

    @Test func `receipts go once they are needed no more, also after a kill`() throws {
        let runner = try start()
        let count = "SELECT count(*) FROM millrace_receipts"
        for life in 0..<2 {
            let client = try Conversation(runner.ipc)
            for n in 0..<20 {
                let said = try client.result(client.submit(marking(life * 20 + n)))
                #expect(said.state == "succeeded")
            }
            #expect(try number(count, runner) <= 3, "life \(life)")
            try runner.killAll()
            try runner.restart()
        }
        #expect(try number("SELECT value FROM counter", runner) == 40)
    }

    @Test func `jobs neither read nor change receipts`() throws {
        let runner = try start()
        let client = try Conversation(runner.ipc)
        #expect(try client.result(client.submit(marking(1))).state == "succeeded")
        for sql in [
            "SELECT * FROM millrace_receipts", "DELETE FROM millrace_receipts",
            "DROP TABLE millrace_receipts", "ALTER TABLE millrace_receipts ADD COLUMN x",
            "CREATE TRIGGER x AFTER INSERT ON millrace_receipts BEGIN SELECT 1; END",
            "CREATE VIEW v AS SELECT * FROM millrace_receipts; SELECT * FROM v",
            "CREATE TRIGGER x AFTER INSERT ON marks BEGIN DELETE FROM millrace_receipts; END; "
                + "INSERT INTO marks VALUES (9)",
        ] {
            let said = try client.result(client.submit(job(sql)))
            #expect(said.errorCode == "denied", "\(sql): \(said.head)")
        }
        #expect(try number("SELECT count(*) FROM millrace_receipts", runner) == 1)
    }

    @Test func `two runners write to one database and do not disturb each other`() throws {
        let one = try start()
        let two = try start(database: one.directory.path + "/user.db")
        let clients = try [one, two].map { try Conversation(dealer: $0.ipc) }
        for n in 0..<25 {
            for (client, base) in zip(clients, [0, 100]) {
                try client.say("job.submit", marking(base + n))
            }
        }
        for client in clients { for _ in 0..<25 { #expect(try client.hear().code == "200") } }
        try one.killAll()
        try one.restart()
        for runner in [one, two] {
            let client = try Conversation(runner.ipc)
            for id in 1...25 { #expect(try client.result(Int64(id)).state == "succeeded") }
        }
        #expect(try number("SELECT value FROM counter", one) == 50)
        #expect(try number("SELECT count(DISTINCT n) FROM marks", one) == 50)
        #expect(try number("SELECT count(DISTINCT store) FROM millrace_receipts", one) == 2)
    }

    @Test func `a restored store gives an id again, and no old receipt answers for it`() throws {
        let runner = try start()
        let store = runner.state + "/millrace.db"
        func stop() throws {
            kill(try runner.worker(), SIGTERM)
            #expect(try runner.process.waitForEnd() == 0)
        }
        try stop()
        try Connection(path: store, mode: .readWrite).run("VACUUM INTO '\(store).backup'")
        try Connection(path: store + ".backup", mode: .readWrite).run(
            "UPDATE identity SET is_backup = 1"
        )
        try runner.restart()
        let before = try Conversation(runner.ipc)
        let id = try before.submit(marking(1))
        #expect(try before.result(id).state == "succeeded")
        try stop()
        for file in [store, store + "-wal", store + "-shm"] {
            try? FileManager.default.removeItem(atPath: file)
        }
        try FileManager.default.moveItem(atPath: store + ".backup", toPath: store)
        try runner.restart()
        let after = try Conversation(runner.ipc)
        #expect(try after.submit(marking(2)) == id)
        #expect(try after.result(id).state == "succeeded")
        #expect(try number("SELECT value FROM counter", runner) == 2)
    }
}
