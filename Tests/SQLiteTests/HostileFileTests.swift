import Foundation
import SQLite
import Testing

/// Files that are not what they say: every query on one ends, with rows or an error.
@Suite("Hostile files") struct HostileFileTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func make(_ path: String) throws {
        let owner = try Connection(path: path, mode: .create)
        try owner.execute(
            script: """
                PRAGMA synchronous = OFF;
                BEGIN;
                CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);
                CREATE INDEX i ON t (b);
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300)
                INSERT INTO t SELECT i, hex(zeroblob(i)) FROM n;
                CREATE VIRTUAL TABLE words USING fts5(b);
                INSERT INTO words SELECT b FROM t;
                CREATE VIRTUAL TABLE boxes USING rtree(id, low, high);
                INSERT INTO boxes SELECT a, a, a + 1 FROM t;
                COMMIT;
                """
        )
    }

    private func confined(_ path: String) throws -> Connection {
        let connection = try Connection(path: path, mode: .readWrite)
        try connection.confine(to: Sandbox(access: .write))
        let deadline = ContinuousClock.now + .seconds(60)
        connection.onProgress(every: 1_000) { ContinuousClock.now < deadline }
        return connection
    }

    /// The bytes are wrong in other places each time, the same in each run of the tests.
    @Test func `a file with wrong bytes ends no process`() throws {
        let whole = directory.file("whole.db")
        try make(whole)
        let bytes = try Data(contentsOf: URL(filePath: whole))
        var generator = SplitMix(state: 7)
        var failures = 0
        for round in 0..<60 {
            var wrong = bytes
            for _ in 0..<(1 << (round % 8)) {
                wrong[Int.random(in: 100..<wrong.count, using: &generator)] =
                    UInt8.random(in: 0...255, using: &generator)
            }
            let path = directory.file("wrong\(round).db")
            try wrong.write(to: URL(filePath: path))
            for sql in [
                "SELECT count(*), max(b) FROM t", "SELECT a FROM t WHERE b > '00' ORDER BY b DESC",
                "SELECT count(*) FROM words('000000')", "SELECT * FROM words ORDER BY rank",
                "SELECT sum(high) FROM boxes WHERE low > 10", "UPDATE t SET b = b || 'x'",
                "INSERT INTO words VALUES ('more words')", "DELETE FROM boxes WHERE low < 200",
                "PRAGMA integrity_check", "CREATE TABLE u AS SELECT * FROM t", "REINDEX",
            ] {
                do throws(SQLiteError) {
                    try SQLiteMemory.limiting(to: 50_000_000) { () throws(SQLiteError) in
                        _ = try confinedRows(sql, path)
                    }
                } catch {
                    failures += 1
                }
            }
        }
        #expect(failures > 0, "The wrong bytes are noticed now and then.")
    }

    private func confinedRows(_ sql: String, _ path: String) throws(SQLiteError) -> [[Value]] {
        let connection = try Connection(path: path, mode: .readWrite)
        try connection.confine(to: Sandbox(access: .write))
        let deadline = ContinuousClock.now + .seconds(10)
        connection.onProgress(every: 1_000) { ContinuousClock.now < deadline }
        return try connection.rows(sql)
    }

    @Test func `a module that nobody here knows is not used, whatever its table is called`() throws
    {
        let path = directory.file("a.db")
        try Connection(path: path, mode: .create).run("CREATE VIRTUAL TABLE pages USING dbstat")
        let failure = #expect(throws: SQLiteError.self) {
            try confined(path).rows("SELECT * FROM pages")
        }
        #expect(failure?.message == "no such module: dbstat")
    }
}

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
