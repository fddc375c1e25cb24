import Foundation
import JobStorage
import JobTesting
import JobWire
import SQLite
import Testing

/// Files that hold more jobs than one submission, through the real program and its ends.
@Suite(.serialized) struct StagingTests {
    let runner: RunnerProcess

    init() throws {
        var options = RunnerProcess.Options()
        options.databases = ["shop=@/shop.db:write"]
        runner = try RunnerProcess(options)
        let database = try Connection(path: runner.directory.path + "/shop.db", mode: .create)
        try database.run("PRAGMA journal_mode = WAL")
        try database.run("CREATE TABLE items (n INTEGER)")
    }

    private func drop(_ text: String, as name: String) throws {
        let hidden = runner.spool + "/." + name
        try Data(text.utf8).write(to: URL(filePath: hidden))
        try FileManager.default.moveItem(atPath: hidden, toPath: runner.spool + "/" + name)
    }

    private func text(_ name: String) -> String? {
        FileManager.default.contents(atPath: runner.spool + "/" + name).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    private func queued(_ client: Conversation) throws -> [Int64] {
        let counts = try client.ask("sys.stats")["counts"]
        return ["queued", "running", "succeeded"].map { counts?[$0]?.integerValue ?? -1 }
    }

    /// Waits until so many jobs of the file are stored, or all are seen.
    private func waitUntilStaged(_ count: Int64) throws {
        let client = try Conversation(runner.ipc)
        try eventually("\(count) jobs are stored") {
            let said = try client.ask("sys.stats")
            let staged = said["staging"]?.arrayValue?.first?["staged"]?.integerValue ?? 0
            let seen = said["counts"]?["succeeded"]?.integerValue ?? 0
            return staged >= count || seen > 0 ? () : nil
        }
    }

    /// Goal: every line of the file has its effect once, wherever the runner was killed.
    @Test func `kills while a large file is stored lose no job and repeat none`() throws {
        let total = 12_000
        let text = (1...total).map {
            #"{"sql":"INSERT INTO items VALUES (\#($0))","database":"shop","mode":"write"}"# + "\n"
        }.joined()
        try drop(text, as: "many.jsonl")
        for count in [Int64(1), 3_000, 9_000, 11_000, 12_000] {
            try waitUntilStaged(count)
            try runner.killAll()
            try runner.restart()
        }
        let receipt = try eventually("the file is put away") { self.text("done/many.jsonl.ids") }
        let ids = receipt.split(separator: "\n").compactMap {
            Int64($0)
        }
        #expect(ids.count == total)
        #expect(ids == Array((ids.first ?? 0)..<((ids.first ?? 0) + Int64(total))))
        try runner.killAll()
        try runner.restart()
        let client = try Conversation(runner.ipc)
        try eventually("all have ended", within: .seconds(120)) {
            try queued(client) == [0, 0, Int64(total)] ? () : nil
        }
        let database = try Connection(path: runner.directory.path + "/shop.db", mode: .readOnly)
        database.setBusyTimeout(milliseconds: 5_000)
        let found = try database.row("SELECT count(*), count(DISTINCT n), max(n) FROM items")
        #expect(found == [.integer(12_000), .integer(12_000), .integer(12_000)])
        let results = try eventually("the results lie beside it") {
            self.text("results/many.jsonl.json")
        }
        #expect(try JSON(parsing: Array(results.utf8))["jobs"]?.arrayValue?.count == total)
        #expect(try runner.command("doctor", "--full").code == 0)
    }

    /// The runner is killed, and goes on under other settings, when some of the file is stored.
    private func goOn(_ name: String, under settings: [String: String]) throws {
        try waitUntilStaged(1)
        try runner.killAll()
        let begun = try StoreReader(path: runner.state + "/millrace.db").loadingFiles()
        #expect(begun.map { $0.hasSuffix(name) } == [true], "The kill came too late.")
        runner.options.settings = settings
        try runner.restart()
    }

    /// Goal: a file that was begun is stored, once, whatever the settings are after a crash.
    @Test func `other settings after a kill neither refuse a large file nor divide it`() throws {
        try runner.killAll()
        runner.options.settings = ["LIMITS_SUBMISSION_JOBS": "700"]
        try runner.restart()
        let total = 40_000
        let line =
            #"{"sql":"INSERT INTO items VALUES (1)","database":"shop","mode":"write"}"# + "\n"
        try drop(String(repeating: line, count: total), as: "many.jsonl")
        try goOn("many.jsonl", under: ["LIMITS_SUBMISSION_JOBS": "900"])
        try goOn("many.jsonl", under: ["LIMITS_TIMEOUT_MS": "420000"])
        let receipt = try eventually("the file is put away") { self.text("done/many.jsonl.ids") }
        #expect(receipt.split(separator: "\n").count == total)
        #expect(runner.process.errors.contains("was begun under other settings"))
        runner.process.signal(SIGTERM)
        _ = try runner.process.waitForEnd()
        let database = try Connection(path: runner.state + "/millrace.db", mode: .readOnly)
        let found = try database.row(
            "SELECT count(*), count(DISTINCT timeout_ms), min(timeout_ms) FROM jobs"
        )
        #expect(found == [.integer(40_000), .integer(1), .integer(420_000)])
    }

    @Test func `check reads a large file as the spool does, and submit says where it belongs`()
        throws
    {
        let path = runner.directory.path + "/large.jsonl"
        let line = #"{"kernel":"echo","input":1}"# + "\n"
        let good = String(repeating: line, count: 10_001)
        try Data(good.utf8).write(to: URL(filePath: path))
        let checked = try runner.command("check", path)
        #expect(checked.code == 0 && checked.errors.contains("10001 jobs"), "\(checked)")
        try Data((good + line.dropLast(2)).utf8).write(to: URL(filePath: path))
        let bad = try runner.command("check", path)
        #expect(bad.code == 1 && bad.errors.contains("Line 10002, column "), "\(bad)")

        let pad = String(repeating: " ", count: 1_700)
        let wide = String(repeating: pad + line, count: 10_000)
        try Data(wide.utf8).write(to: URL(filePath: path))
        #expect(try runner.command("check", path).code == 0)
        let sent = try runner.command("submit", path)
        #expect(sent.code != 0 && sent.errors.contains("into the jobs directory"), "\(sent)")
    }

    @Test func `a bad line at the end of a large file leaves nothing of it`() throws {
        let first = #"{"kernel":"echo","input":1,"key":"k"}"# + "\n"
        let others = String(repeating: #"{"kernel":"echo","input":1}"# + "\n", count: 15_000)
        try drop(first + others + "{", as: "bad.jsonl")
        let reason = try eventually("it is refused") { self.text("refused/bad.jsonl.reason.txt") }
        #expect(reason.hasPrefix("Line 15002, column 2: "), "\(reason)")
        let client = try Conversation(runner.ipc)
        #expect(try client.ask("job.list")["jobs"] == [])
        #expect(try queued(client) == [0, 0, 0])
        try eventually("its key is free") {
            let said = try client.ask("job.submit", #"{"kernel":"echo","input":2,"key":"k"}"#)
            return said.code == "200" ? () : nil
        }
        #expect(try runner.command("doctor", "--full").code == 0)
    }
}
