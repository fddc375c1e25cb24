import Foundation
import SQLite
import Testing

@Suite("Encoding rows") struct RowEncoderTests {
    let connection: Connection

    init() throws { connection = try Connection() }

    func encode(
        _ sql: String,
        as format: RowEncoder.Format,
        limits: RowEncoder.Limits = RowEncoder.Limits(),
        _ values: Value...
    ) throws -> String {
        let statement = try connection.prepare(sql)
        try statement.bind(values)
        var encoder = try RowEncoder(statement, as: format, limits: limits)
        try encoder.appendRows(of: statement)
        try encoder.finish()
        return try #require(String(validating: encoder.bytes, as: UTF8.self))
    }

    struct Case: Sendable {
        let sql: String
        let json: String
        let csv: String

        init(_ sql: String, json: String, csv: String? = nil) {
            self.sql = sql
            self.json = json
            self.csv = csv ?? json
        }
    }

    @Test(arguments: [
        Case("NULL", json: "null", csv: ""),
        Case("0", json: "0"), Case("-1", json: "-1"), Case("10", json: "10"),
        Case("9007199254740993", json: "9007199254740993"),
        Case("9223372036854775807", json: "9223372036854775807"),
        Case("-9223372036854775808", json: "-9223372036854775808"),
        Case("1.0", json: "1.0"), Case("-2.5", json: "-2.5"), Case("0.1", json: "0.1"),
        Case("1e300", json: "1e+300"), Case("1e16", json: "1e+16"), Case("5e-324", json: "5e-324"),
        Case("9007199254740993.0", json: "9007199254740992.0"),
        Case("9e999", json: #"{"real":"inf"}"#, csv: "inf"),
        Case("-9e999", json: #"{"real":"-inf"}"#, csv: "-inf"),
        Case("9e999 - 9e999", json: "null", csv: ""),
        Case("''", json: #""""#, csv: #""""#),
        Case("'plain text, quite long'", json: #""plain text, quite long""#),
        Case("'say \"x\"'", json: #""say \"x\"""#, csv: #""say ""x""""#),
        Case("'back\\slash'", json: #""back\\slash""#, csv: "back\\slash"),
        Case("'a' || char(13, 10) || 'b'", json: #""a\r\nb""#, csv: "\"a\r\nb\""),
        Case("char(10)", json: #""\n""#, csv: "\"\n\""),
        Case("char(13)", json: #""\r""#, csv: "\"\r\""),
        Case("char(9, 8, 12, 31)", json: #""\t\u0008\u000c\u001f""#, csv: "\t\u{8}\u{C}\u{1F}"),
        Case("'a' || char(0) || 'b'", json: #""a\u0000b""#, csv: "a\0b"),
        Case(
            "'žába 🐎' || char(127, 8232)",
            json: "\"žába 🐎\u{7F}\u{2028}\"",
            csv: "žába 🐎\u{7F}\u{2028}"
        ),
        Case("'1,5'", json: #""1,5""#, csv: #""1,5""#),
        Case("' edge '", json: #"" edge ""#, csv: " edge "),
        Case("x''", json: #"{"base64":""}"#, csv: #""""#),
        Case("x'00'", json: #"{"base64":"AA=="}"#, csv: "AA=="),
        Case("x'fbff'", json: #"{"base64":"+/8="}"#, csv: "+/8="),
        Case("x'010203'", json: #"{"base64":"AQID"}"#, csv: "AQID"),
        Case("cast(x'61ff' AS TEXT)", json: #"{"base64":"Yf8="}"#, csv: "Yf8="),
        Case("cast(x'eda080' AS TEXT)", json: #"{"base64":"7aCA"}"#, csv: "7aCA"),
    ])
    func `a value is written so that it keeps its type`(expected: Case) throws {
        let sql = "SELECT \(expected.sql) AS a"
        #expect(try encode(sql, as: .json) == #"{"columns":["a"],"rows":[[\#(expected.json)]]}"#)
        #expect(try encode(sql, as: .jsonl) == #"{"a":\#(expected.json)}"# + "\n")
        #expect(try encode(sql, as: .csv) == "a\r\n\(expected.csv)\r\n")
    }

    /// Goal: the short way that common decimals take writes what Swift writes.
    @Test func `a real number is written in its shortest digits`() throws {
        var random = SystemRandomNumberGenerator()
        let units = [1.0, 10, 100, 1_000, 10_000, 100_000]
        var numbers: [Double] = [
            0, -0.0, 0.29, -0.29, 0.0001, -0.0001, 0.00005, 0.1 + 0.2, 99_999_999_999.9999,
            -99_999_999_999.9999, 1e11, 1e11.nextDown, 12_345_678_901.2345, .pi,
            .leastNonzeroMagnitude,
        ]
        for _ in 0..<20_000 {
            let bound = Int64(1) << Int64.random(in: 1...53, using: &random)
            let decimal =
                Double(Int64.random(in: -bound...bound, using: &random))
                / (units.randomElement(using: &random) ?? 1)
            numbers += [decimal, decimal.nextUp, decimal.nextDown]
        }
        let statement = try connection.prepare("SELECT ?")
        for number in numbers {
            try statement.bind(real: number, at: 1)
            var encoder = try RowEncoder(statement, as: .csv)
            try encoder.appendRows(of: statement)
            let written = String(decoding: encoder.bytes, as: UTF8.self)
            #expect(written == "?\r\n\(number)\r\n")
        }
    }

    /// Goal: the search by eight bytes at a time misses no byte at any place.
    @Test func `every byte is escaped at every place`() throws {
        for length in 1...20 {
            for place in 0..<length {
                for byte in UInt8(0)...127 {
                    var text = [UInt8](repeating: UInt8(ascii: "!"), count: length)
                    text[place] = byte
                    let statement = try connection.prepare("SELECT ?")
                    try statement.bind(text: text, at: 1)
                    var encoder = try RowEncoder(statement, as: .jsonl)
                    try encoder.appendRows(of: statement)
                    let read = try JSONDecoder().decode(
                        [String: String].self,
                        from: Data(encoder.bytes)
                    )
                    #expect(read["?"].map { Array($0.utf8) } == text)
                }
            }
        }
    }

    @Test func `JSON has columns, rows and what changed`() throws {
        let statement = try connection.prepare("SELECT 1 AS a, 'x' AS a UNION ALL SELECT NULL, 2.5")
        var encoder = try RowEncoder(statement, as: .json)
        try encoder.appendRows(of: statement)
        try encoder.finish(changes: 3, lastInsertRowID: -7)
        #expect(encoder.rows == 2)
        #expect(
            String(decoding: encoder.bytes, as: UTF8.self)
                == #"{"columns":["a","a"],"rows":[[1,"x"],[null,2.5]],"changes":3,"last_insert_rowid":-7}"#
        )
    }

    @Test func `a result without rows still has its columns`() throws {
        let sql = "SELECT 1 AS a, 2 AS b WHERE 0"
        #expect(try encode(sql, as: .json) == #"{"columns":["a","b"],"rows":[]}"#)
        #expect(try encode(sql, as: .jsonl) == "")
        #expect(try encode(sql, as: .csv) == "a,b\r\n")
    }

    @Test func `column names are escaped too`() throws {
        let sql = #"SELECT 1 AS "say ""x"", y", NULL AS """#
        #expect(try encode(sql, as: .json) == #"{"columns":["say \"x\", y",""],"rows":[[1,null]]}"#)
        #expect(try encode(sql, as: .jsonl) == #"{"say \"x\", y":1,"":null}"# + "\n")
        #expect(try encode(sql, as: .csv) == "\"say \"\"x\"\", y\",\"\"\r\n1,\r\n")
    }

    @Test func `names of JSON lines are made unique`() throws {
        let sql = "SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS a, 5 AS a_2"
        #expect(
            try encode(sql, as: .jsonl) == #"{"a":1,"a_2":2,"a_2_2":3,"a_3":4,"a_2_3":5}"# + "\n"
        )
    }

    @Test func `another reader understands the JSON`() throws {
        let json = try encode(
            """
            SELECT i, i * 1e18 AS r, 'text "' || char(i) || '\\' AS t, randomblob(i) AS b,
                   1e300 AS big, 9e999 AS inf, NULL AS none
              FROM (WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT 128)
                    SELECT i FROM n)
            """,
            as: .json
        )
        let read = try #require(
            try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        )
        let rows = try #require(read["rows"] as? [[Any]])
        #expect(rows.count == 128)
        for (number, row) in rows.enumerated() {
            #expect(row[0] as? Int == number)
            #expect(row[1] as? Double == Double(number) * 1e18)
            #expect(
                row[2] as? String == "text \"" + String(UnicodeScalar(UInt8(number))) + "\\",
                "\(number)"
            )
            let blob = (row[3] as? [String: String])?["base64"].flatMap { Data(base64Encoded: $0) }
            #expect(blob?.count == max(number, 1))
            #expect(row[5] as? [String: String] == ["real": "inf"])
            #expect(row[6] is NSNull)
        }
    }

    @Test func `one row too many is an error, not a cut`() throws {
        let sql = "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3"
        #expect(try encode(sql, as: .csv, limits: .init(rows: 3)).hasSuffix("3\r\n"))
        #expect(throws: RowEncoder.Failure.tooManyRows(2)) {
            try encode(sql, as: .csv, limits: .init(rows: 2))
        }
    }

    @Test(arguments: [RowEncoder.Format.json, .jsonl, .csv])
    func `one byte too many is an error, not a cut`(format: RowEncoder.Format) throws {
        for sql in [
            "SELECT 'x' || char(10) AS a", "SELECT x'00'", "SELECT 1 AS a WHERE 0", "SELECT NULL",
        ] {
            let size = try encode(sql, as: format).utf8.count
            _ = try encode(sql, as: format, limits: .init(bytes: size))
            guard size > 0 else { continue }
            #expect(throws: RowEncoder.Failure.tooManyBytes(size - 1)) {
                try encode(sql, as: format, limits: .init(bytes: size - 1))
            }
        }
    }

    @Test func `a large value is refused before it is written`() throws {
        #expect(throws: RowEncoder.Failure.tooManyBytes(1_000)) {
            try encode("SELECT zeroblob(100000000)", as: .json, limits: .init(bytes: 1_000))
        }
    }

    @Test func `an error of SQLite comes through`() throws {
        let failure = #expect(throws: RowEncoder.Failure.self) {
            try encode("SELECT abs(-9223372036854775807 - 1)", as: .json)
        }
        guard case .sqlite(let error)? = failure else { return }
        #expect(error.message == "integer overflow")
    }
}
