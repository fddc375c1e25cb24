import SQLite
import Testing

@Suite("Bounded functions") struct BoundedFunctionsTests {
    /// SQLite's own functions.
    let original: Connection
    /// Ours, with a deadline that no test reaches.
    let bounded: Connection

    init() throws {
        original = try Connection()
        bounded = try Connection()
        try bounded.confine(to: Sandbox(access: .write))
    }

    static let texts: [Value] = [
        nil, 0, -12, 1.5, "", " ", "a", "aa", "aab", "abab", "ž", "žab", "abž", "🐎a🐎", "\0", "a\0b",
        "  a b ", "ba", .blob([]), .blob([0x61]), .blob([0xC5]), .blob([0xBE]),
        .blob([0xC5, 0xBE]),
        .blob([0x61, 0x62, 0x61]), .blob([0x80, 0x80]), .blob([0xFF, 0x61]),
    ]

    @Test func `instr and trim give what the originals give`() throws {
        for sql in [
            "SELECT instr(?, ?)", "SELECT hex(trim(?, ?))", "SELECT hex(ltrim(?, ?))",
            "SELECT hex(rtrim(?, ?))",
        ] {
            for one in Self.texts {
                for two in Self.texts {
                    let expected = try original.row(sql, one, two)
                    #expect(try bounded.row(sql, one, two) == expected, "\(sql) \(one) \(two)")
                }
            }
        }
        for sql in ["SELECT hex(trim(?))", "SELECT hex(ltrim(?))", "SELECT hex(rtrim(?))"] {
            for one in Self.texts {
                #expect(try bounded.row(sql, one) == original.row(sql, one), "\(sql) \(one)")
            }
        }
    }

    @Test func `replace gives what the original gives`() throws {
        let sql = "SELECT hex(replace(?1, ?2, ?3)), typeof(replace(?1, ?2, ?3))"
        for one in Self.texts {
            for two in Self.texts {
                for three in [nil, "", "a", "xyz", 7] as [Value] {
                    let expected = try original.row(sql, one, two, three)
                    let found = try bounded.row(sql, one, two, three)
                    #expect(found == expected, "\(one) \(two) \(three)")
                }
            }
        }
    }

    @Test(arguments: [
        "", "plain", "100 %", "%", "%%", "%d", "%5d|%-5d|%05d|%+d|% d|%,d", "%i %u", "%x %X %o",
        "%#x %#o",
        "%ld %lld", "%p", "%f %e %g %E %G", "%.3f|%10.2f|%-10.2f|%010.2f|%!.20g|%+.1e|%,.2f",
        "%.0f", "%.f",
        "%s|%10s|%-10s|%.2s|%!.2s|%z", "%q|%Q|%w", "%c|%5c|%-5c|%.3c", "%*d|%-*d", "%.*f", "%*.*f",
        "%n%d", "%y after", "%d %y %d", "a%sb%dc", "%5%", "%-", "%5", "%.", "ž%sž", "%--5d", "%l",
        "%r",
    ])
    func `printf gives what the original gives`(format: String) throws {
        let rows: [[Value]] = [
            [nil, nil, nil, nil, nil, nil], [1, 2, 3, 4, 5, 6], [-7, -300, 5, 1, 2, 3],
            [.integer(.min), .integer(.max), 0, 0, 0, 0],
            [1.5, -2.25, 1e300, 1e-7, 123456.789, 0.1],
            ["ab'c\"d", "žába", "", "12", "🐎", "x"], [8, "it's", 2, 3.14159, 4, "end"],
            [.real(.infinity), .blob([0x61, 0x62]), "a\0b", 3, 3, 3], [6, 3, 2.5, 4, 1, 9],
        ]
        for values in rows {
            let found = try row("SELECT printf(?, ?, ?, ?, ?, ?, ?)", format, values, on: bounded)
            let expected = try row(
                "SELECT printf(?, ?, ?, ?, ?, ?, ?)",
                format,
                values,
                on: original
            )
            #expect(found == expected, "\(format) \(values)")
        }
        #expect(
            try bounded.row("SELECT format(?)", .text(format))
                == original.row("SELECT printf(?)", .text(format))
        )
    }

    func row(_ sql: String, _ format: String, _ values: [Value], on connection: Connection) throws
        -> [Value]?
    {
        let statement = try connection.prepare(sql)
        try statement.bind([.text(format)] + values)
        return try statement.first { $0.values }
    }

    @Test func `printf without a format is NULL`() throws {
        #expect(
            try bounded.row("SELECT printf(), printf(NULL), printf(NULL, 1)") == [nil, nil, nil]
        )
    }

    /// The originals would take from seconds to hours in one call.
    @Test(arguments: [
        "SELECT printf('%.*c', 900000000, 'x')", "SELECT format('%900000000d', 1)",
        "SELECT printf('%.*c%.*c', 16000000, 'x', 16000000, 'x')",
        "SELECT printf(replace(hex(zeroblob(1000)), '0', '%.99999c'), 'x')",
        "SELECT printf(replace(hex(zeroblob(1000)), '00', '%.9000000g'), 1.5)",
        "SELECT replace(hex(zeroblob(8000000)), '0', 'xxxxxxxxxxxxxxxxx')",
    ])
    func `a result that is too long is refused at once`(sql: String) throws {
        let failure = #expect(throws: SQLiteError.self) { try bounded.row(sql) }
        #expect(failure?.isTooBig == true, "\(failure?.message ?? "")")
    }

    @Test(arguments: [
        ("SELECT instr(zeroblob(16000000), zeroblob(8000000) || x'01')", Value.integer(0)),
        ("SELECT instr(hex(zeroblob(8000000)), hex(zeroblob(4000000)) || '1')", .integer(0)),
        (
            "SELECT length(replace(hex(zeroblob(8000000)), hex(zeroblob(4000000)) || '1', 'x'))",
            .integer(16_000_000)
        ),
        (
            """
            SELECT length(trim(hex(zeroblob(200000)),
                               replace(hex(zeroblob(200000)), '00', '1ž') || '0'))
            """, .integer(0)
        ),
    ])
    func `long arguments take linear time`(sql: String, expected: Value) throws {
        #expect(try bounded.row(sql) == [expected])
    }

    @Test func `json_patch is refused, also where the authorizer does not look`() throws {
        let failure = #expect(throws: SQLiteError.self) {
            try bounded.row("SELECT json_patch('{}', '{}')")
        }
        #expect(failure?.isAuthorization == true)
        #expect(failure?.message == "the function json_patch() is not allowed in a SQL job")

        try bounded.execute(
            script: """
                CREATE TABLE t (a);
                INSERT INTO t VALUES ('{}');
                ALTER TABLE t ADD COLUMN b AS (json_patch(a, a));
                """
        )
        let hidden = #expect(throws: SQLiteError.self) { try bounded.rows("SELECT b FROM t") }
        #expect(hidden?.isAuthorization == true)
    }

    /// It takes the square of the matches: 6 s for a text of 40 000 bytes.
    @Test func `snippet is refused, also as a rank`() throws {
        try bounded.execute(
            script: """
                CREATE VIRTUAL TABLE f USING fts5(x);
                INSERT INTO f VALUES (replace(hex(zeroblob(100000)), '00', 'a '));
                """
        )
        for sql in [
            "SELECT snippet(f, 0, '<', '>', '..', 10) FROM f('a')",
            "SELECT rank FROM f WHERE f MATCH 'a' AND rank MATCH 'snippet(0, ''<'', ''>'', ''..'', 9)'",
        ] {
            let failure = #expect(throws: SQLiteError.self) { try bounded.rows(sql) }
            #expect(failure?.isAuthorization == true, "\(failure?.message ?? "")")
        }
        #expect(try bounded.row("SELECT length(highlight(f, 0, '', '')) FROM f('a')") == [200_000])
    }

    @Test func `ours may stand in indexes and generated columns`() throws {
        try bounded.execute(
            script: """
                CREATE TABLE t (a, b AS (replace(a, 'x', 'y')), CHECK (trim(a) <> ''));
                CREATE INDEX i ON t (instr(a, 'x'));
                INSERT INTO t (a) VALUES ('axb');
                """
        )
        #expect(try bounded.rows("SELECT b FROM t WHERE instr(a, 'x') = 2") == [["ayb"]])
    }
}
