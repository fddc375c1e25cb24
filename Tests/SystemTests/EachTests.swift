import Foundation
import JobTesting
import JobWire
import SQLite
import Testing

/// One statement for many rows, from a client, a file and the command line.
@Suite struct EachTests {
    let runner: RunnerProcess
    let client: Conversation

    init() throws {
        var options = RunnerProcess.Options()
        options.databases = ["shop=@/shop.db:write"]
        runner = try RunnerProcess(options)
        client = try Conversation(runner.ipc)
        let path = runner.directory.path + "/shop.db"
        let database = try Connection(path: path, mode: .create)
        try database.run("PRAGMA journal_mode = WAL")
        try database.run("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price REAL)")
    }

    private func items() throws -> [[Value]] {
        let path = runner.directory.path + "/shop.db"
        let database = try Connection(path: path, mode: .readOnly)
        database.setBusyTimeout(milliseconds: 5_000)
        return try database.rows("SELECT * FROM items ORDER BY id")
    }

    private let insert =
        #""sql":"INSERT INTO items VALUES (:id, :name, :price)","database":"shop","mode":"write""#

    private func run(_ job: String, csv: String? = nil) throws -> Said {
        let frames = csv.map { [Array($0.utf8)] } ?? []
        return try client.result(client.submit("{\(job)}", frames: frames))
    }

    @Test func `rows go in by one job, from JSON and from a CSV`() throws {
        let rows = #"[{"id":1,"name":"pen","price":1.5},{"id":2,"name":"ink","price":null}]"#
        let first = try run(insert + #","each":\#(rows)"#)
        #expect(first.text?.contains(#""changes":2"#) == true, "\(first.head)")
        let csv = "name,price,id\r\n\"cup, blue\",7,3\r\n,,4\r\n"
        let second = try run(insert + #","each":{"$frame":2}"#, csv: csv)
        #expect(second.text?.contains(#""changes":2"#) == true, "\(second.head)")
        #expect(
            try items()
                == [[1, "pen", 1.5], [2, "ink", nil], [3, "cup, blue", 7.0], [4, nil, nil]]
        )
    }

    @Test func `a row that fails undoes them all and is named`() throws {
        let said = try run(
            insert + #","each":{"$frame":2}"#,
            csv: "id,name,price\n1,a,\n2,b,\n1,c,\n"
        )
        #expect(said.state == "failed")
        let message = said["error"]?["message"]?.stringValue
        #expect(message?.hasPrefix("Row 3: The SQL failed: UNIQUE") == true, "\(said.head)")
        #expect(try items().isEmpty)
    }

    @Test func `a CSV that is wrong makes no job`() throws {
        let said = try client.ask(
            "job.submit",
            "{\(insert),\"each\":{\"$frame\":2}}",
            frames: [Array("id,name,price\n1,a\n".utf8)]
        )
        #expect(said.code == "422" && said.errorCode == "malformed_csv")
        #expect(try client.ask("job.list")["jobs"] == [])
    }

    /// Each row takes some ms, and there are more of them than anybody waits for.
    private var endless: String {
        let slow = """
            INSERT INTO items(price) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
            WHERE i < 20000) SELECT max(i) FROM n WHERE i > ?
            """
        let rows = Array(repeating: "[0]", count: 100_000).joined(separator: ",")
        return #""sql":"\#(slow)","database":"shop","mode":"write","each":[\#(rows)]"#
    }

    @Test func `progress tells the rows, and a cancel between two of them undoes all`() throws {
        let id = try client.submit("{\(endless)}")
        let said = try client.waitUntil(id) {
            ($0["progress"]?["done"]?.integerValue ?? 0) > 1 && $0.state == "running"
        }
        #expect(said["progress"]?["total"] == 100_000)
        let page = try runner.command("show", "\(id)")
        #expect(page.output.contains("of 100000 rows"), "\(page.output)")
        try client.ask("job.cancel", #"{"id":\#(id)}"#)
        #expect(try client.result(id).state == "cancelled")
        #expect(try items().isEmpty)
        #expect(try run(insert + #","each":[{"id":1,"name":null,"price":2}]"#).state == "succeeded")
    }

    @Test func `a time-out between two rows undoes all`() throws {
        let said = try run(endless + #","timeout_ms":200,"max_attempts":1"#)
        #expect(said.errorCode == "timeout")
        #expect(try items().isEmpty)
    }

    @Test func `rows wait through a kill and take effect once`() throws {
        try client.ask("queue.pause")
        let csv = "id,name,price\n" + (1...5_000).map { "\($0),n\($0),\n" }.joined()
        let id = try client.submit(
            "{\(insert),\"each\":{\"$frame\":2}}",
            frames: [Array(csv.utf8)]
        )
        try runner.killAll()
        try runner.restart()
        let client = try Conversation(runner.ipc)
        try client.ask("queue.resume")
        #expect(try client.result(id).state == "succeeded")
        #expect(try items().count == 5_000)
    }

    @Test func `rows that were damaged in the store run no statement`() throws {
        try client.ask("queue.pause")
        let csv = "id,name,price\n" + (1...5_000).map { "\($0),n\($0),\n" }.joined()
        let id = try client.submit(
            "{\(insert),\"each\":{\"$frame\":2}}",
            frames: [Array(csv.utf8)]
        )
        try runner.killAll()
        let store = try Connection(path: runner.state + "/millrace.db", mode: .readWrite)
        try store.run("UPDATE inputs SET bytes = CAST(replace(bytes, 'n7,', 'n8,') AS BLOB)")
        try runner.restart()
        let client = try Conversation(runner.ipc)
        try client.ask("queue.resume")
        #expect(try client.result(id).errorCode == "damaged")
        #expect(try items().isEmpty)
    }

    private func drop(_ text: String, _ name: String) throws {
        let hidden = runner.spool + "/." + name
        try text.write(toFile: hidden, atomically: false, encoding: .utf8)
        try FileManager.default.moveItem(atPath: hidden, toPath: runner.spool + "/" + name)
    }

    private func contents(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `a CSV that is dropped before its file of jobs runs with it`() throws {
        try drop("id,name\n1,pen\n2,ink\n", "new-items.csv")
        try drop(
            """
            -- database: shop
            -- mode: write
            -- each: new-items.csv
            INSERT INTO items(id, name) VALUES (:id, :name)
            """,
            "import.sql"
        )
        let result = try eventually("the result is there") {
            contents(runner.spool + "/results/import.sql.json")
        }
        #expect(result.contains(#""changes":2"#), "\(result)")
        #expect(try items() == [[1, "pen", nil], [2, "ink", nil]])
        let done = try FileManager.default.contentsOfDirectory(atPath: runner.spool + "/done")
        #expect(Set(done) == ["1-import.sql", "1-new-items.csv", "import.sql.ids"])
    }

    @Test func `the command line sends a CSV, and the one that a file names`() throws {
        let csv = runner.directory.path + "/items.csv"
        try "id,name\n1,pen\n2,ink\n".write(toFile: csv, atomically: true, encoding: .utf8)
        let sql = "INSERT INTO items(id, name) VALUES (?, ?) RETURNING id"
        let first = try runner.command(
            "submit",
            "--sql",
            sql,
            "--database",
            "shop",
            "--mode",
            "write",
            "--each",
            csv,
            "--format",
            "csv",
            "--wait"
        )
        #expect(first.code == 0, "\(first.errors)")
        #expect(first.output == "id\r\n1\r\n2\r\n")

        let file = runner.directory.path + "/import.yaml"
        let job =
            "{each: items.csv, database: shop, mode: write, sql: 'DELETE FROM items WHERE id = :id'}"
        try "jobs:\n  - \(job)\n  - {sql: 'select ?', each: [[1]]}\n".write(
            toFile: file,
            atomically: true,
            encoding: .utf8
        )
        #expect(try runner.command("check", "--database", "shop=shop.db:write", file).code == 0)
        #expect(try runner.command("submit", file, "--wait").code == 0)
        #expect(try items().isEmpty)

        let both = try runner.command("submit", "--sql", "x", "--each", csv, "--param", "1")
        #expect(both.code == 64)
        #expect(both.errors.contains("either --each"))
    }
}
