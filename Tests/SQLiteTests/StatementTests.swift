import SQLite
import Testing

@Suite("Statement") struct StatementTests {
    let connection: Connection

    init() throws { connection = try Connection() }

    @Test(arguments: [
        Value.null, 0, 1, -1, .integer(.max), .integer(.min), .real(.infinity), 0.1, 1e300,
        "", "a\0b", "žluťoučký 🐎", .blob([]), .blob([0, 255]),
    ])
    func `a value comes back as it went in`(value: Value) throws {
        let statement = try connection.prepare("SELECT ?, typeof(?1)")
        try statement.bind(value: value, at: 1)
        #expect(try statement.first { $0.value(0) } == value)
    }

    @Test func `NaN becomes NULL`() throws {
        #expect(try connection.row("SELECT ?", .real(.nan)) == [nil])
    }

    @Test func `text that is no UTF-8 keeps its bytes`() throws {
        let statement = try connection.prepare("SELECT ?")
        try statement.bind(text: [0x61, 0xFF, 0x00], at: 1)
        #expect(try statement.step())
        #expect(statement.type(0) == .text)
        #expect(statement.bytes(0) == [0x61, 0xFF, 0x00])
        #expect(statement.text(0) == "a\u{FFFD}\0")
    }

    @Test func `text of a UTF-16 database is read as UTF-8`() throws {
        try connection.run("PRAGMA encoding = 'UTF-16le'")
        try connection.run("CREATE TABLE t (a)")
        try connection.run("INSERT INTO t VALUES ('žába')")
        let statement = try connection.prepare("SELECT a FROM t")
        #expect(try statement.step())
        #expect(statement.bytes(0) == Array("žába".utf8))
    }

    @Test func `empty text and an empty blob are not NULL`() throws {
        let statement = try connection.prepare("SELECT typeof(?), typeof(?)")
        try statement.bind(text: [], at: 1)
        try statement.bind(blob: [], at: 2)
        #expect(try statement.first { $0.values } == ["text", "blob"])

        let lent = try statement.lending(text: [], at: 1) { () throws(SQLiteError) in
            try statement.lending(blob: [], at: 2) { () throws(SQLiteError) in
                try statement.first { $0.values }
            }
        }
        #expect(lent == ["text", "blob"])
    }

    @Test func `a lent value is gone after its closure`() throws {
        let statement = try connection.prepare("SELECT ?")
        let inside = try statement.lending(blob: [1, 2, 3], at: 1) { () throws(SQLiteError) in
            _ = try statement.step()
            return statement.bytes(0)
        }
        #expect(inside == [1, 2, 3])
        #expect(!statement.isRunning)
        #expect(try statement.first { $0.values } == [nil])
    }

    @Test func `parameters have numbers and names`() throws {
        let statement = try connection.prepare("SELECT :a, @b, $c, ?")
        #expect(statement.parameterCount == 4)
        #expect((1...5).map { statement.parameterName(at: $0) } == [":a", "@b", "$c", nil, nil])
        #expect(statement.parameterIndex(of: "@b") == 2)
        #expect(statement.parameterIndex(of: "b") == nil)

        try statement.bind(value: 5, to: "$c")
        #expect(try statement.first { $0.values } == [nil, nil, 5, nil])
        let unknown = #expect(throws: SQLiteError.self) { try statement.bind(value: 5, to: ":x") }
        #expect(unknown?.message == "no parameter is named :x")
        #expect(throws: SQLiteError.self) { try statement.bind(integer: 5, at: 5) }
        #expect(throws: SQLiteError.self) { try statement.bind(integer: 5, at: 0) }
    }

    @Test func `columns have names and types`() throws {
        let statement = try connection.prepare("SELECT 1 AS a, 2.5 AS b, 'x', x'00', NULL AS \"a\"")
        #expect(statement.columnNames == ["a", "b", "'x'", "x'00'", "a"])
        #expect(try statement.step())
        #expect((0..<5).map { statement.type($0) } == [.integer, .real, .text, .blob, .null])
        #expect(statement.isNull(4))
        #expect(statement.integer(0) == 1)
        #expect(statement.real(1) == 2.5)
        #expect(statement.text(2) == "x")
        #expect(statement.withBytes(3) { $0.count } == 1)
    }

    @Test func `a column that does not exist reads as NULL`() throws {
        let statement = try connection.prepare("SELECT 1")
        #expect(statement.value(0) == .null)  // No row yet.
        #expect(try statement.step())
        #expect(statement.value(1) == .null)
        #expect(statement.value(-1) == .null)
        #expect(statement.columnName(1) == "")
    }

    @Test func `a statement can be bound again after its end and after an error`() throws {
        try connection.run("CREATE TABLE t (a INTEGER PRIMARY KEY)")
        let insert = try connection.prepare("INSERT INTO t VALUES (?)")
        for number in [1, 1, 2] as [Int64] {
            try insert.bind(integer: number, at: 1)
            try? insert.run()
        }
        #expect(try connection.rows("SELECT a FROM t") == [[1], [2]])
    }

    @Test func `a statement knows whether it writes`() throws {
        #expect(try connection.prepare("SELECT 1").isReadOnly)
        #expect(try !connection.prepare("CREATE TABLE t (a)").isReadOnly)
    }

    @Test func `a statement outlives its connection`() throws {
        var owner: Connection? = try Connection()
        let statement = try #require(try owner?.prepare("SELECT 7"))
        var asked = 0
        owner?.onProgress(every: 1) {
            asked += 1
            return true
        }
        owner = nil
        #expect(try statement.first { $0.integer(0) } == 7)
        #expect(asked > 0)
    }

    @Test func `an error carries its statement and the place in it`() throws {
        let failure = #expect(throws: SQLiteError.self) { try connection.run("SELECT missing") }
        #expect(failure?.code == 1)
        #expect(failure?.message == "no such column: missing")
        #expect(failure?.sql == "SELECT missing")
        #expect(failure?.offset == 7)

        let long = "SELECT '" + String(repeating: "é", count: 500)
        let other = #expect(throws: SQLiteError.self) { try connection.run(long) }
        #expect(other?.sql == String(long.prefix(200)))
    }
}
