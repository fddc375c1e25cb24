import Foundation
import JobTesting
import JobWire
import SQLite
import Testing

/// SQL that wants out, or all of the machine: no file appears or changes, it ends in time, and
/// memory stays bounded. What single functions and limits do is tested in SQLiteTests.
@Suite(.serialized) struct HostileSQLTests {
    private static let timeoutMs = 1_000
    private static let mostKilobytes = 1_500_000

    /// `OUT` stands for a file outside of everything.
    private static let statements = [
        // Files.
        "attach 'OUT' as o", "attach 'OUT' as o; create table o.t(x)", "vacuum into 'OUT'",
        "select writefile('OUT', 'x')", "select readfile('/etc/passwd')",
        "select load_extension('OUT')", "select edit('x')", "detach main",
        "create virtual table v using csv(filename='/etc/passwd')",
        "select * from pragma_database_list",
        // Pragmas.
        "pragma query_only = off", "pragma writable_schema = on", "pragma journal_mode = delete",
        "pragma trusted_schema = on", "pragma temp_store_directory = '/tmp'",
        "pragma data_store_directory = '/tmp'", "pragma mmap_size = 99999999999",
        "pragma hard_heap_limit = 1", "pragma locking_mode = exclusive", "pragma cell_size_check",
        "pragma user_version = 7", "pragma wal_checkpoint(truncate)", "pragma schema_version = 1",
        // Writing by a reader.
        "insert into items values (9)", "delete from items", "update items set n = 0",
        "drop table items", "create table t(x)", "create temp table t(x)",
        "alter table items add x",
        "insert into sqlite_schema values (1,2,3,4,5)", "replace into items values (1)", "reindex",
        "with d as (select 1) delete from items", "analyze", "begin immediate", "commit",
        // Endless and giant.
        "with recursive n(i) as (select 1 union all select i+1 from n) select max(i) from n",
        "with recursive n(i) as (select 1 union all select i+1 from n) select count(*) from n a, n b",
        "with recursive n(i) as (select 1 union all select i+1 from n) select i from n order by -i",
        "with recursive n(s) as (select 'x' union all select s||s from n) select max(s) from n",
        "with recursive n(i) as (select 1 union all select i+1 from n) select group_concat(hex(randomblob(1000))) from n",
        "with recursive n(i) as (select 1 union all select i+1 from n) select json_group_array(i) from n",
        "with recursive n(i) as (select 1 union all select i+1 from n) select distinct random() from n",
        "with recursive n(i) as (select 1 union all select i+1 from n limit 3000000) select hex(randomblob(500)) h from n order by h",
        "select zeroblob(2000000000)", "select hex(zeroblob(400000000))",
        "select length(randomblob(999999999))", "select printf('%.*c', 900000000, 'x')",
        "select printf('%999999999d', 1)",
        "select replace(hex(zeroblob(1000000)), '0', hex(zeroblob(1000000)))",
        "select length(hex(hex(hex(hex(zeroblob(10000000))))))",
        "select 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab' like '%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%c'",
        "select 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab' glob '*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*c'",
        "select count(*) from items a, items b, items c, items d, items e, items f, items g, items h, items i",
        "select (((((((((((((((((((((((((((((((((((((((((((((((((((1)))))))))))))))))))))))))))))))))))))))))))))))))))",
    ]

    @Test func `hostile SQL writes nothing, ends in time, and stays small`() throws {
        let row = FaultRow("hostile-sql", count: 1)
        let broken = try row.run("hostile statements") { tally in
            var options = RunnerProcess.Options()
            options.databases = ["books=@/books.db"]
            let runner = try RunnerProcess(options)
            let path = runner.directory.path + "/books.db"
            let database = try Connection(path: path, mode: .create)
            try database.run("CREATE TABLE items (n INTEGER)")
            try database.run(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 200) "
                    + "INSERT INTO items SELECT i FROM n"
            )
            let before = try Data(contentsOf: URL(filePath: path))
            let out = runner.directory.path + "/stolen"
            let client = try Conversation(runner.ipc)
            let bystander = Bystander(runner.tcp)
            let worker = try runner.worker()
            var (latest, most) = (Duration.zero, 0)
            for statement in Self.statements {
                let sql = JSON.string(statement.replacingOccurrences(of: "OUT", with: out))
                let job: JSON = [
                    "sql": sql, "database": "books", "timeout_ms": .integer(Int64(Self.timeoutMs)),
                    "max_attempts": 1,
                ]
                let start = ContinuousClock.now
                let id = try client.submit(String(decoding: job.encoded(), as: UTF8.self))
                _ = try eventually("an end of: \(statement)") { () -> Void? in
                    most = max(most, try residentKilobytes(of: worker))
                    let said = try client.ask("job.wait", #"{"ids":[\#(id)],"wait_ms":20}"#)
                    return said.code == "200" ? () : nil
                }
                latest = max(latest, ContinuousClock.now - start - .milliseconds(Self.timeoutMs))
                tally.tried += 1
            }
            let waits = try bystander.waits()
            tally.broken += waits.problems
            if latest > .seconds(10) { tally.broken.append("One ended \(latest) too late.") }
            if most > Self.mostKilobytes { tally.broken.append("It had \(most) kB.") }
            if try Data(contentsOf: URL(filePath: path)) != before {
                tally.broken.append("The database has changed.")
            }
            let files = try FileManager.default.contentsOfDirectory(atPath: runner.directory.path)
            tally.broken += files.filter { $0.hasPrefix("stolen") }.map { "There is \($0)." }
            if try client.run != 1 { tally.broken.append("The runner started anew.") }
            tally.notes = [
                "at most \(latest.inMs) ms beyond the time-out", "memory at most \(most) kB",
                "\(waits)",
            ]
        }
        #expect(broken.isEmpty, "\(broken)")
    }
}
