import JobCore
import JobWire
import Testing

/// CSV as others write it, and where it is wrong.
@Suite struct CSVTests {
    private func rows(_ text: String) throws -> [[SQLValue]] {
        var reader = try CSVReader(Array(text.utf8))
        var rows: [[SQLValue]] = []
        while let row = try reader.next() { rows.append(row) }
        #expect(reader.rows == rows.count)
        return rows
    }

    @Test(arguments: [
        ("7", SQLValue.integer(7)), ("-7", .integer(-7)), ("0", .integer(0)),
        ("9223372036854775807", .integer(.max)), ("2.50", .real(2.5)), ("7.0", .real(7)),
        ("1e3", .real(1_000)), ("true", .integer(1)), ("false", .integer(0)), ("null", .null),
        ("", .null), (#""""#, .text("")), (#""7""#, .text("7")), (#""null""#, .text("null")),
        ("007", .text("007")), ("+7", .text("+7")), ("7 ", .text("7 ")), (" 7", .text(" 7")),
        (".5", .text(".5")), ("5.", .text("5.")), ("0x1F", .text("0x1F")), ("-", .text("-")),
        ("9223372036854775808", .text("9223372036854775808")), ("1e999", .text("1e999")),
        ("NULL", .text("NULL")), ("True", .text("True")), ("nil", .text("nil")),
        ("2026-01-01", .text("2026-01-01")), ("[1]", .text("[1]")), ("{}", .text("{}")),
        (" a b ", .text(" a b ")), ("é☃", .text("é☃")), (#""a,b""#, .text("a,b")),
        (#""say ""hi""""#, .text(#"say "hi""#)), (#""""""#, .text(#"""#)),
        ("\"two\r\nlines\"", .text("two\r\nlines")), ("'7'", .text("'7'")),
    ])
    func `a field has the type of its JSON scalar, and is text otherwise`(
        field: String,
        value: SQLValue
    ) throws {
        for text in ["a\n\(field)\n", "a\r\n\(field)\r\n", "a,b\n\(field),1", "b,a\n1,\(field)"] {
            let row = try #require(try rows(text).first)
            #expect(row == [value] || row == [value, .integer(1)] || row == [.integer(1), value])
        }
    }

    @Test func `rows end with either line end, and the last one need not`() throws {
        let one: [[SQLValue]] = [[.integer(1), .text("x")], [.null, .null]]
        for text in ["a,b\n1,x\n,\n", "a,b\r\n1,x\r\n,", "\u{FEFF}a,b\r\n1,x\n,\r\n"] {
            #expect(try rows(text) == one, "\(text)")
        }
        #expect(try rows("a\n\n") == [[.null]], "an empty line is a row of one column")
        #expect(try rows("a,b") == [])
        #expect(try rows("a,b\r\n") == [])
        let header = Array("\"a,\"\"b\"\"\", c\n".utf8)
        #expect(try CSVReader(header).columns == [#"a,"b""#, " c"])
    }

    @Test(arguments: [
        ("", 1, 1, CSVError.Problem.noHeader), ("\u{FEFF}", 1, 2, .noHeader),
        ("a,b,a\n", 1, 5, .duplicateColumn("a")), ("a,b\n1\n", 2, 1, .fieldCount(1, expected: 2)),
        ("a,b\n1,2\n\n", 3, 1, .fieldCount(1, expected: 2)),
        ("a,b\n1,2\n3,4,\n", 3, 1, .fieldCount(3, expected: 2)),
        ("a\n\"x\ny", 2, 1, .unclosedQuote), ("a\né\"\n", 2, 2, .strayQuote),
        ("a\n\"x\"y\n", 2, 4, .textAfterQuote), ("a\n\"x\" \n", 2, 4, .textAfterQuote),
        ("a\rb\n", 1, 2, .bareCarriageReturn), ("a\n1\r", 2, 2, .bareCarriageReturn),
        ("a\n\"x\"\rb", 2, 4, .bareCarriageReturn),
    ])
    func `what is wrong is told with its place, whether it is read or skipped`(
        text: String,
        line: Int,
        column: Int,
        problem: CSVError.Problem
    ) throws {
        let read = try #require(throws: CSVError.self) {
            var reader = try CSVReader(Array(text.utf8))
            while try reader.next() != nil {}
        }
        let skipped = try #require(throws: CSVError.self) {
            var reader = try CSVReader(Array(text.utf8))
            while try reader.skip() {}
        }
        #expect(read.problem == problem)
        #expect(read.line == line && read.column == column, "\(read.summary)")
        #expect(skipped == read)
        #expect(read.summary.hasPrefix("The CSV is wrong at line \(line), column \(column): "))
    }

    @Test func `bytes that are not UTF-8 are refused where they stand`() throws {
        let bytes = Array("a\né".utf8) + [0xC3]
        let error = try #require(throws: CSVError.self) { try CSVReader(bytes) }
        #expect(error.problem == .invalidUTF8)
        #expect(error.line == 2 && error.column == 2)
    }

    @Test func `there may be as many columns as a statement may have parameters`() throws {
        let names = (1...Limits.columns).map { "c\($0)" }.joined(separator: ",")
        #expect(try CSVReader(Array(names.utf8)).columns.count == Limits.columns)
        let error = try #require(throws: CSVError.self) { try CSVReader(Array((names + ",").utf8)) }
        #expect(error.problem == .tooManyColumns(limit: Limits.columns))
    }
}
