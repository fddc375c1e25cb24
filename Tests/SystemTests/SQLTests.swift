import JobTesting
import JobWire
import SQLite
import Testing

/// SQL jobs against a runner with a database to read and write, and one that is for reading.
@Suite struct SQLTests {
    let runner: RunnerProcess
    let client: Conversation

    init() throws {
        var options = RunnerProcess.Options()
        options.databases = ["shop=@/shop.db:write", "books=@/books.db"]
        runner = try RunnerProcess(options)
        client = try Conversation(runner.ipc)
        for name in ["shop", "books"] {
            let path = "\(runner.directory.path)/\(name).db"
            let database = try Connection(path: path, mode: .create)
            try database.run("PRAGMA journal_mode = WAL")
            try database.run("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price REAL)")
            try database.run("INSERT INTO items VALUES (1, 'pen', 1.5), (2, 'ink', 7)")
        }
    }

    private func run(_ job: String, frames: [[UInt8]] = []) throws -> Said {
        try client.result(client.submit(job, frames: frames))
    }

    private func text(_ sql: String, _ more: String = "") throws -> String? {
        let sql = String(decoding: JSON.string(sql).encoded(), as: UTF8.self)
        let said = try run(#"{"sql":\#(sql)\#(more)}"#)
        return said.text ?? said.head["error"].map { "\($0)" }
    }

    @Test func `a database is read by its name`() throws {
        let said = try run(#"{"sql":"select * from items order by id","database":"books"}"#)
        #expect(
            said.text == #"{"columns":["id","name","price"],"rows":[[1,"pen",1.5],[2,"ink",7.0]],"#
                + #""changes":0}"#
        )
        #expect(said["rows"] == 2)
    }

    @Test func `writing is kept, told, and seen by the next reader`() throws {
        let said = try run(
            #"{"sql":"insert into items(name) values ('cup'),('jug')","database":"shop","mode":"write"}"#
        )
        #expect(said.state == "succeeded")
        #expect(said.text?.contains(#""changes":2"#) == true, "\(said.text ?? "")")
        let count = try text("select count(*) from items", #","database":"shop""#)
        #expect(count?.contains("[[4]]") == true)
    }

    @Test func `several statements are one transaction`() throws {
        let failed = try run(
            #"""
            {"sql":"delete from items; insert into items(id) values (1); insert into items(id) values (1)",
            "database":"shop","mode":"write"}
            """#
        )
        #expect(failed.state == "failed")
        #expect(failed.errorCode == "sql_error")
        #expect(failed["attempt"] == 1)
        #expect(failed["error"]?["sqlite_code"] == 1_555)
        #expect(
            try text("select count(*) from items", #","database":"shop""#)?.contains("[[2]]")
                == true
        )

        let rows = try text("create table t(x); insert into t values (1),(2); select sum(x) from t")
        #expect(rows?.contains("[[3]]") == true)
        let last = try text("select 1 as a; create table t(x); select x from t")
        #expect(last?.hasPrefix(#"{"columns":["x"],"rows":[]"#) == true)
    }

    @Test func `parameters go by position, by name and by frame`() throws {
        #expect(
            try text("select ?, ?2", #","params":[1,"two"]"#)?.contains(#"[[1,"two"]]"#) == true
        )
        let named = try text("select :a; select :a + :b", #","params":{"a":1,"b":2.5}"#)
        #expect(named?.contains("[[3.5]]") == true)
        let framed = try run(
            #"{"sql":"select length(?), hex(?1)","params":[{"$frame":2}]}"#,
            frames: [[0, 255, 10]]
        )
        #expect(framed.text?.contains(#"[[3,"00FF0A"]]"#) == true)
        let bytes = try text("select hex(?)", #","params":[{"base64":"AP8="}]"#)
        #expect(bytes?.contains(#"[["00FF"]]"#) == true)
        for wrong in [
            #"{"sql":"select ?","params":[1,2]}"#, #"{"sql":"select :a","params":{"b":1}}"#,
        ] {
            #expect(try run(wrong).state == "failed", "\(wrong)")
        }
    }

    @Test func `values keep their type and their last digit`() throws {
        let rows = try text(
            """
            select 9223372036854775807, -9223372036854775808, 9007199254740993, 0.1, 1e300, null,
            x'00ff', cast(x'ff41' as text), '', 'é☃', 9e999
            """
        )
        let expected = #"""
            [[9223372036854775807,-9223372036854775808,9007199254740993,0.1,1e+300,null,
            {"base64":"AP8="},{"base64":"/0E="},"","é☃",{"real":"inf"}]]
            """#
        #expect(rows?.contains(expected.split(separator: "\n").joined()) == true, "\(rows ?? "")")
        let same = try text("select ?, ?", #","params":[9007199254740993,-9223372036854775808]"#)
        #expect(same?.contains("[[9007199254740993,-9223372036854775808]]") == true)
    }

    @Test func `rows come as lines of JSON or as CSV when asked`() throws {
        let sql = "select id, name from items order by id"
        let lines = try text(sql, #","database":"books","format":"jsonl""#)
        #expect(lines == "{\"id\":1,\"name\":\"pen\"}\n{\"id\":2,\"name\":\"ink\"}\n")
        let table = try text(sql, #","database":"books","format":"csv""#)
        #expect(table == "id,name\r\n1,pen\r\n2,ink\r\n")
        let quoted = try text(
            #"select 'a,b' as x, 'say "hi"' as y, null as z"#,
            #","format":"csv""#
        )
        #expect(quoted == "x,y,z\r\n\"a,b\",\"say \"\"hi\"\"\",\r\n")
    }

    @Test(arguments: [
        "attach 'other.db' as o", "attach ':memory:' as o", "vacuum into '/tmp/stolen.db'",
        "vacuum",
        "pragma journal_mode = off", "pragma writable_schema = 1", "pragma query_only = 0",
        "delete from items", "create table t(x)", "begin", "commit", "rollback", "savepoint s",
        "select load_extension('x')", "select readfile('/etc/passwd')", "detach main",
        "insert into items(name) values ('x') returning id", "drop table items",
        "with d as (select 1) delete from items",
    ])
    func `the sandbox refuses what a reader must not do`(sql: String) throws {
        let job: JSON = ["sql": .string(sql), "database": "books"]
        let said = try run(String(decoding: job.encoded(), as: UTF8.self))
        #expect(said.state == "failed")
        let code = sql.contains("readfile") ? "sql_error" : "denied"
        #expect(said.errorCode == code, "\(said.head)")
        #expect(said["attempt"] == 1, "It is refused for good: \(said.head)")
        let count = try text("select count(*) from items", #","database":"books""#)
        #expect(count?.contains("[[2]]") == true)
    }

    @Test func `a database for reading is not written to`() throws {
        let said = try client.ask(
            "job.submit",
            #"{"sql":"select 1","database":"books","mode":"write"}"#
        )
        #expect(["403", "422"].contains(said.code), "\(said.head)")
    }

    @Test func `a writer may not attach, nor touch transactions`() throws {
        for sql in ["attach ':memory:' as o", "commit", "vacuum into '/tmp/stolen.db'", "begin"] {
            let said = try run(#"{"sql":"\#(sql)","database":"shop","mode":"write"}"#)
            #expect(said.errorCode == "denied", "\(sql) \(said.head)")
        }
    }

    @Test(arguments: [
        "select", "select * from nowhere", "select no_such(1)", "select 'open", "", "-- nothing",
        "select 1; selekt 2",
    ])
    func `SQL that can never run fails at once`(sql: String) throws {
        let said = try client.ask("job.submit", #"{"sql":"\#(sql)"}"#)
        guard said.code == "200" else {
            #expect(said.code == "422")
            return
        }
        let result = try client.result(said.id)
        #expect(result.state == "failed")
        #expect(result["attempt"] == 1)
        #expect(result.errorCode == "sql_error")
    }

    @Test func `jobs that write to one database take turns and lose nothing`() throws {
        let job = #"""
            {"sql":"insert into items(name) select 'n' || count(*) from items","database":"shop",
            "mode":"write"}
            """#
        let jobs = Array(repeating: job, count: 100).joined(separator: ",")
        let ids = try client.ask("job.submit", #"{"jobs":[\#(jobs)]}"#).ids
        for id in ids { #expect(try client.result(id).state == "succeeded") }
        let rows = try text(
            "select count(*), count(distinct name) from items",
            #","database":"shop""#
        )
        #expect(rows?.contains("[[102,102]]") == true, "\(rows ?? "")")
    }

    @Test func `each of many writes is all or nothing, whatever the others beside it do`() throws {
        let insert = "insert into items(name) values ('fine')"
        let statements = (0..<60).map { place in
            switch place {
            case 20: "\(insert); insert into items(id, name) values (1, 'twice')"
            case 40: "\(insert); insert or rollback into items(id, name) values (1, 'twice')"
            case 50: "\(insert); insert into nowhere values (1)"
            default: insert
            }
        }
        let jobs = statements.map { #"{"sql":"\#($0)","database":"shop","mode":"write"}"# }
        let ids = try client.ask("job.submit", #"{"jobs":[\#(jobs.joined(separator: ","))]}"#).ids
        for (place, id) in ids.enumerated() {
            let isGuilty = [20, 40, 50].contains(place)
            let said = try client.result(id)
            #expect(said.state == (isGuilty ? "failed" : "succeeded"), "\(place) \(said.head)")
        }
        let found = try text(
            "select count(*) from items where name = 'fine'",
            #","database":"shop""#
        )
        #expect(found?.contains("[[57]]") == true, "\(found ?? "")")
    }

    @Test func `a job waits for a foreign writer and then writes`() throws {
        let path = runner.directory.path + "/shop.db"
        let foreign = try Connection(path: path, mode: .readWrite)
        try foreign.run("BEGIN IMMEDIATE")
        let id = try client.submit(
            #"{"sql":"insert into items(name) values ('late')","database":"shop","mode":"write"}"#
        )
        try client.waitUntilRunning(id)
        try foreign.run("COMMIT")
        let said = try client.result(id)
        #expect(said.state == "succeeded")
        #expect(said["attempt"] == 1)
    }

    @Test func `a result of too many rows fails and is never cut`() throws {
        let said = try run(
            #"""
            {"sql":"with recursive n(i) as (select 1 union all select i+1 from n where i<1000001)
            select i from n"}
            """#.split(separator: "\n").joined(separator: " ")
        )
        #expect(said.state == "failed")
        #expect(said.errorCode == "result_too_large")
        #expect(said["attempt"] == 1)
        #expect(said.frames.isEmpty)
    }
}
