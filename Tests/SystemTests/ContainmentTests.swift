import Foundation
import Glibc
import JobTesting
import JobWire
import SQLite
import Testing

/// SQL that means harm, a line each, against the real program: nothing outside its database is
/// touched, it ends by itself, and neither the process nor a thread of it has to be given up.
@Suite struct ContainmentTests {
    /// Where an attack is run: nowhere, in a database to read, to write, or in a forged one.
    enum Place: String { case memory, books, shop, forged, deep }

    struct Attack: Sendable {
        let sql: String
        var place = Place.memory
        /// Nil where the SQL may do what it does.
        var code: String?

        init(_ sql: String, _ place: Place = .memory, _ code: String? = nil) {
            self.sql = sql
            self.place = place
            self.code = code
        }

        var job: String {
            var fields: [(String, JSON)] = [
                ("sql", .string(sql)), ("max_attempts", 1),
                ("timeout_ms", place == .deep ? 600_000 : 1_000),
            ]
            if place != .memory { fields.append(("database", .string(place.rawValue))) }
            if place != .memory && place != .books { fields.append(("mode", "write")) }
            let members = fields.map { name, value in
                "\"\(name)\":" + String(decoding: value.encoded(), as: UTF8.self)
            }
            return "{" + members.joined(separator: ",") + "}"
        }
    }

    private static let endless = "with recursive n(i) as (select 1 union all select i+1 from n) "
    private static let long = "with x(a) as materialized (select hex(zeroblob(2000000))) "
    private static let numbers =
        "with x(a) as materialized (select '['||replace(hex(zeroblob(900000)),'00','1,')||'1]') "

    static let attacks: [Attack] = [
        // Out of the database.
        Attack("attach '@/new.db' as n", .shop, "denied"),
        Attack("vacuum into '@/new.db'", .shop, "denied"),
        Attack("vacuum into '@/new.db'", .memory, "denied"),
        Attack("select writefile('@/new', 'x')", .shop, "sql_error"),
        Attack("select readfile('/etc/hostname')", .books, "sql_error"),
        Attack("select edit('x', 'touch @/new')", .shop, "sql_error"),
        Attack("select load_extension('@/new.so')", .shop, "denied"),
        Attack("select fts3_tokenizer('x', x'0000000000000000')", .shop, "denied"),
        Attack("select fts5(null)", .shop, "denied"),
        Attack("select sqlite_log(1, 'x')", .books, "denied"),
        Attack("select rtreecheck('items')", .books, "denied"),
        Attack("pragma temp_store_directory='@'", .shop, "denied"),
        Attack("pragma temp_store=file", .shop, "denied"),
        Attack("pragma journal_mode=delete", .shop, "denied"),
        Attack("pragma writable_schema=on", .shop, "denied"),
        Attack("pragma trusted_schema=on", .shop, "denied"),
        Attack("pragma mmap_size=100000000", .shop, "denied"),
        Attack("pragma max_page_count=1000000000", .shop, "denied"),
        Attack("pragma hard_heap_limit=1", .shop, "denied"),
        Attack("pragma wal_checkpoint(truncate)", .shop, "denied"),
        Attack("select * from pragma_database_list", .books, "denied"),
        Attack("select sql from sqlite_stmt", .books, "denied"),
        Attack("select * from dbstat", .books, "sql_error"),
        Attack("select * from sqlite_dbpage", .books, "sql_error"),
        Attack("select * from fts3tokenize('a b')", .books, "sql_error"),
        Attack("select * from generate_series(1, 9)", .books, "sql_error"),
        Attack("create virtual table s using dbstat", .shop, "denied"),
        Attack("create virtual table s using fts4(a)", .shop, "denied"),
        Attack("create virtual table s using csv(filename='/etc/passwd')", .shop, "denied"),
        Attack("update sqlite_schema set sql='x'", .shop, "sql_error"),
        Attack("insert into items(name) values ('x')", .books, "denied"),
        Attack("create temp trigger t after insert on items begin select 1; end", .books, "denied"),

        // Without end.
        Attack(endless + "select count(*) from n", .books, "timeout"),
        Attack(endless + "select i from n order by i desc", .books),
        Attack(endless + "select group_concat(i) from n"),
        Attack(endless + "select json_group_array(i) from n"),
        Attack(endless + "select i, sum(i) over (order by -i) from n", .books),
        Attack("create table t as " + endless + "select randomblob(1000) from n", .memory),
        Attack("create temp table t as " + endless + "select randomblob(1000) from n", .shop),
        Attack("insert into items(name) " + endless + "select hex(randomblob(1000)) from n", .shop),
        Attack("select count(*) from items a, items b, big c, big d, big e", .books, "timeout"),
        Attack("select * from big a, big b order by random()", .books),
        Attack(chain(20_000), .memory),
        Attack(doublings(40)),

        // Long calls, each of which no interrupt ends.
        Attack(long + "select a like '%\(String(repeating: "0", count: 47))1' from x"),
        Attack(long + "select a glob '*\(String(repeating: "[0-9]", count: 9))x' from x"),
        Attack(long + "select a glob '*[\(String(repeating: "1", count: 46))]x' from x"),
        Attack(long + "select strftime(replace(a, '00', '%J'), 'now') from x"),
        Attack(long + "select replace(a, '0', a) from x"),
        Attack(long + "select instr(a, substr(a, 2000000) || '1') from x"),
        Attack(long + "select trim(a, substr(a, 3900000)) from x"),
        Attack("select printf('%.*c', 900000000, 'x')"),
        Attack("select hex(zeroblob(900000000))"),
        Attack(numbers + "select json_extract(a\(list(98, "'$[#-1]'"))) from x"),
        Attack(numbers + "select json_set(a\(list(49, "'$[#-1]',1"))) from x"),
        Attack(numbers + "select json_patch(a, a) from x", .memory, "denied"),
        Attack("select length(zeroblob(4194304))", .memory),
        Attack("select length(zeroblob(4194305))", .memory, "sql_error"),

        // Somebody else's schema: see `forge`.
        Attack("insert into deep0 values (1)", .deep, "sql_error"),
        Attack("select * from nested", .forged),
        Attack("select * from evil", .forged, "denied"),
        Attack("insert into trap(a) values ('{}')", .forged),
        Attack("insert into checked values ('x')", .forged),
        Attack("select b from trap", .forged),
        Attack("select * from hidden", .forged),
    ]

    /// Common table expressions that use each other: compiling them takes the square of the time.
    private static func chain(_ count: Int) -> String {
        "with a0(a) as (select 1)"
            + (1..<count).map { ",a\($0) as (select*from a\($0 - 1))" }.joined()
            + "select * from a\(count - 1)"
    }

    /// Each is the one before it, twice.
    private static func doublings(_ count: Int) -> String {
        "with a0(x) as (select 1)"
            + (1...count).map { ",a\($0) as (select p.x from a\($0 - 1) p, a\($0 - 1) q)" }.joined()
            + "select count(*) from a\(count)"
    }

    private static func list(_ count: Int, _ item: String) -> String {
        String(repeating: "," + item, count: count)
    }

    @Test func `nothing that SQL may try gets out, stays, or costs a thread`() throws {
        var options = RunnerProcess.Options()
        options.databases = [
            "books=@/books.db", "shop=@/shop.db:write", "forged=@/forged.db:write",
            "deep=@/deep.db:write",
        ]
        // Who does not end within so long after the time-out would be given up.
        options.settings = ["STUCK_MS": "10000", "LIMITS_GROWTH_BYTES": "10000000"]
        let runner = try RunnerProcess(options)
        let directory = runner.directory.path
        for name in ["books", "shop"] { try Self.stock("\(directory)/\(name).db") }
        try Self.forge("\(directory)/forged.db")
        try Self.dig("\(directory)/deep.db")
        let client = try Conversation(runner.ipc)
        #expect(try client.result(client.submit(#"{"sql":"select 1"}"#)).state == "succeeded")
        let (process, files) = (try runner.worker(), try names(in: directory))
        let books = try Data(contentsOf: URL(filePath: "\(directory)/books.db"))

        for attack in Self.attacks {
            let job = attack.job.replacingOccurrences(of: "@", with: directory)
            let start = ContinuousClock.now
            let said = try client.result(client.submit(job))
            let took = ContinuousClock.now - start
            let name = "\(attack.sql.prefix(120)): \(said.head)"
            print("\(took) \(said.errorCode ?? said.state ?? "?") \(attack.sql.prefix(60))")
            if let code = attack.code { #expect(said.errorCode == code, "\(name)") }
            #expect(!["lost", "poisoned"].contains(said.errorCode), "\(name)")
            #expect(try names(in: directory).isSubset(of: files), "\(name)")
            // 512 MiB for SQLite; what it gave back may stay with the process for a while.
            #expect(try residentKilobytes(of: process) < 900_000, "\(name)")
        }
        #expect(try client.run == 1)
        #expect(try runner.worker() == process)
        #expect(try Data(contentsOf: URL(filePath: "\(directory)/books.db")) == books)
        for place in [Place.books, .shop] {
            let count = Attack("select count(*), (select count(*) from big) from items", place)
            #expect(
                try client.result(client.submit(count.job)).text?.contains("[[2,5000]]") == true
            )
        }
        let grown = try FileManager.default.attributesOfItem(atPath: "\(directory)/shop.db-wal")
        #expect((grown[.size] as? Int ?? 0) < 30_000_000)
    }

    private func names(in directory: String) throws -> Set<String> {
        // The logs of a database that is in use come and go.
        let passing = ["-wal", "-shm", "-journal"]
        return Set(
            try FileManager.default.contentsOfDirectory(atPath: directory)
                .filter { name in !passing.contains { name.hasSuffix($0) } }
        )
    }

    private static func stock(_ path: String) throws {
        let database = try Connection(path: path, mode: .create)
        try database.execute(
            script: """
                PRAGMA journal_mode = WAL;
                CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT);
                INSERT INTO items VALUES (1, 'pen'), (2, 'ink');
                CREATE TABLE big (a);
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000)
                INSERT INTO big SELECT i FROM n;
                """
        )
    }

    /// A database as somebody may send it to us.
    private static func forge(_ path: String) throws {
        let database = try Connection(path: path, mode: .create)
        try database.execute(
            script: """
                PRAGMA journal_mode = WAL;
                CREATE TABLE trap (a, b AS (json_patch(a, a)));
                CREATE TABLE checked (a CHECK (fts3_tokenizer('simple') IS NOT NULL));
                CREATE VIEW evil AS SELECT load_extension('/nowhere.so');
                CREATE VIRTUAL TABLE hidden USING dbstat;
                CREATE TABLE ground (a);
                PRAGMA writable_schema = ON;
                CREATE VIEW nest0 AS SELECT a FROM ground;
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2500)
                INSERT INTO sqlite_schema
                SELECT 'view', 'nest' || i, 'nest' || i, 0,
                    'CREATE VIEW nest' || i || ' AS SELECT max(a) AS a FROM nest' || (i - 1) FROM n;
                INSERT INTO sqlite_schema
                SELECT 'view', 'nested', 'nested', 0, 'CREATE VIEW nested AS SELECT a FROM nest2500';
                """
        )
    }

    /// A database with a chain of triggers, each of which fires the next one.
    private static func dig(_ path: String) throws {
        let database = try Connection(path: path, mode: .create)
        let depth = 9_000
        try database.execute(
            script: """
                PRAGMA journal_mode = WAL;
                CREATE TABLE ground (a);
                PRAGMA writable_schema = ON;
                WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT \(depth))
                INSERT INTO sqlite_schema
                SELECT 'view', 'deep' || i, 'deep' || i, 0,
                    'CREATE VIEW deep' || i || ' AS SELECT a FROM ground' FROM n;
                WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT \(depth - 1))
                INSERT INTO sqlite_schema
                SELECT 'trigger', 'fall' || i, 'deep' || i, 0,
                    'CREATE TRIGGER fall' || i || ' INSTEAD OF INSERT ON deep' || i
                    || ' BEGIN INSERT INTO deep' || (i + 1) || ' VALUES (1); END' FROM n;
                """
        )
    }
}
