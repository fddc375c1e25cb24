import SQLite
import Testing

@Suite("Script") struct ScriptTests {
    let connection: Connection

    init() throws { connection = try Connection() }

    @Test func `statements are prepared one after the other`() throws {
        var script = try connection.script(
            """
            -- what comes first
            CREATE TABLE t (a); INSERT INTO t VALUES (1);;
              SELECT a FROM t; /* the end */ ;
            """
        )
        var starts: [Int] = []
        var rows: [[Value]] = []
        while let statement = try script.next() {
            starts.append(script.position)
            rows += try statement.all { $0.values }
        }
        #expect(starts == [0, 40, 69])
        #expect(rows == [[1]])
        #expect(try script.next() == nil)
    }

    @Test(arguments: ["", " ;; \n", "-- only a comment", "/* open"])
    func `a text without a statement gives none`(sql: String) throws {
        var script = try connection.script(sql)
        #expect(try script.next() == nil)
        try connection.execute(script: sql)
        #expect(throws: SQLiteError.self) { try connection.prepare(sql) }
    }

    @Test func `an error points into the statement that has it`() throws {
        var script = try connection.script("SELECT 1;\n SELECT x")
        _ = try script.next()
        let failure = #expect(throws: SQLiteError.self) { try script.next() }
        #expect(script.position == 11)
        #expect(failure?.offset == 7)
        #expect(failure?.sql == "SELECT x")
    }

    @Test func `a zero byte does not hide what follows it`() throws {
        #expect(throws: SQLiteError.self) { try connection.script("SELECT 1;\0DROP TABLE t") }
        #expect(throws: SQLiteError.self) { try connection.run("SELECT 1\0") }
    }

    @Test func `two statements are not one`() throws {
        let failure = #expect(throws: SQLiteError.self) {
            try connection.prepare("SELECT 1; SELECT 2")
        }
        #expect(failure?.message == "more than one statement")
        #expect(failure?.offset == 10)
        _ = try connection.prepare("SELECT 1; -- and no more")
    }

    /// Each statement used to cost a copy of the whole rest.
    @Test func `a long script takes linear time`() throws {
        let sql = String(repeating: "SELECT 1;", count: 100_000)
        var script = try connection.script(sql)
        var count = 0
        while try script.next() != nil { count += 1 }
        #expect(count == 100_000)
    }

    @Test func `the statements used last are kept`() throws {
        connection.cachedStatements = 2
        let first = try connection.prepare("SELECT 1")
        let second = try connection.prepare("SELECT 2;\n")
        #expect(try connection.prepare("SELECT 1") === first)
        _ = try connection.prepare("SELECT 3")
        #expect(try connection.prepare("SELECT 1") === first)
        #expect(try connection.prepare("SELECT 2;\n") !== second)

        connection.cachedStatements = 0
        #expect(try connection.prepare("SELECT 1") !== first)
    }

    @Test func `a kept statement forgets its bindings, and is not given out while it runs`() throws
    {
        let first = try connection.prepare("SELECT ?")
        try first.bind(integer: 7, at: 1)
        #expect(try first.step())
        #expect(try connection.prepare("SELECT ?") !== first)
        first.reset()
        #expect(try connection.prepare("SELECT ?") === first)
        #expect(try connection.row("SELECT ?") == [nil])
    }

    @Test func `a kept statement survives a change of the schema`() throws {
        try connection.execute(script: "CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        #expect(try connection.row("SELECT * FROM t") == [1])
        try connection.run("ALTER TABLE t ADD COLUMN b DEFAULT 2")
        #expect(try connection.row("SELECT * FROM t") == [1, 2])
    }
}
