import JobWire
import Testing

/// What is JSON and what is not, by the classes of the public JSONTestSuite, and where an error is.
struct JSONGrammarTests {
    @Test(arguments: [
        "[]", "{}", "[[]   ]", "[\"\"]", "[\"a\"]", "[false]", "[null, 1, \"1\", {}]", "[1\n]",
        " [1]", "[1,null,null,null,2]", "[2] ", "null", "true", "false", "42", "-0.1", "\"x\"",
        "\"\"",
        "[0e+1]", "[0e1]", "[ 4]", "[-0]", "[-123]", "[20e1]", "[1E22]", "[1E-2]", "[1E+2]",
        "[123e45]", "[123.456e78]", "[1e-2]", "[123.456789]",
        #"{"asd":"sdf","dfg":"fgh"}"#, #"{"":0}"#, #"{"foo\u0000bar":42}"#, #"{"a":[]}"#,
        "{\n\"a\": \"b\"\r\n\t}", #"["\u0060\u012a\u12AB"]"#, #"["\uD801\udc37"]"#,
        #"["\ud83d\ude39\ud83d\udc8d"]"#, #"["\"\\\/\b\f\n\r\t"]"#, #"["\\u0000"]"#, #"["\""]"#,
        #"["a/*b*/c/*d//e"]"#, "[\"\u{7F}\"]", "[\"\u{FFFF}\"]", "[\"\u{10FFFF}\"]",
        "[\"\u{2028}\"]",
        #"["\u0000"]"#, #"["\uFFFE\uFDD0"]"#, "[\"€𝄞\"]", "[\"\u{FEFF}\"]",
    ])
    func `valid text is read, and skipped as one value`(text: String) throws {
        _ = try JSON(parsing: Array(text.utf8))
        var scanner = try JSONScanner(Array(text.utf8))
        _ = try scanner.skipValue()
        try scanner.finish()
    }

    @Test(arguments: [
        // Structure.
        "", " ", "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", "[1}",
        "{]",
        "[[]", "[]]", "[]x", "[],", "1 2", "{}}", "{}#", "{}/**/", "[/**/]", "//", "[1;2]", "<a>",
        "[*]",
        #"{"a"}"#, #"{"a":}"#, #"{"a" 1}"#, #"{"a":1,}"#, #"{,"a":1}"#, #"{"a":1 "b":2}"#,
        #"{a:1}"#,
        #"{'a':1}"#, #"{1:1}"#, #"{null:1}"#, #"{"a"::1}"#, #"{"a":1,,"b":2}"#, #"{"a":1"#,
        #"{"a":"#,
        #"{"a""#, #"{"a":1]"#, #"{"a","b"}"#, #"{"a":1}{"b":2}"#,
        // Words.
        "nul", "nulll", "tru", "True", "TRUE", "fals", "[nan]", "NaN", "Infinity", "-Infinity",
        "[a]",
        "undefined", "n", "t", "f",
        // Numbers.
        "-", "+1", "01", "-01", "00", "1.", ".1", "-.1", "1.e1", "1e", "1E+", "1e-", "1e1.5",
        "1ee1",
        "1.2.3", "0x1F", "1_000", "--1", "-a", "1a", "1,5", "\u{FF11}", "012.5", "0e", "1 000",
        "-NaN",
        // Strings.
        "\"", "\"a", "'a'", #""\"#, #""\"#, #""\x41""#, #""\a""#, #""\U0041""#, #""\u""#,
        #""\u00""#,
        #""\u00G0""#, #""\u004"#, #""\ "#, "\"\u{0}\"", "\"\n\"", "\"\t\"", "\"\u{1F}\"",
        #""\ud800""#,
        #""\udc00""#, #""\ud800\n""#, #""\ud800\ud800""#, #""\ud800\u0041""#, #""\ud800abc""#,
        #""\udc00\ud800""#, #""\ud800\"#, #""\ud800\u"#, #""\ud800\udc0"#, #""\é""#, #""a" "b""#,
        // White space that is none of JSON's.
        "\u{C}1", "\u{B}1", "\u{A0}1", "\u{2060}1", "1\u{0}", "\u{0}",
    ])
    func `invalid text is refused, read or skipped`(text: String) {
        #expect(refusal(text) != nil)
        #expect(throws: JSONError.self) {
            var scanner = try JSONScanner(Array(text.utf8))
            _ = try scanner.skipValue()
            try scanner.finish()
        }
    }

    @Test(
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x9F, 0xBF],
            [0xE2, 0x82], [0xE2, 0x28, 0xA1], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
            [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF],
            [0xF8, 0x88, 0x80, 0x80, 0x80],
        ] as [[UInt8]]
    )
    func `bytes that are not UTF-8 are refused at their first byte`(bytes: [UInt8]) {
        let open = Array("[\"é".utf8) + bytes
        for text in [open, open + Array("\"]".utf8)] {
            let error = #expect(throws: JSONError.self) { try JSON(parsing: text) }
            #expect(error?.problem == .invalidUTF8)
            #expect(error?.offset == 4)
        }
    }

    @Test func `the edges of UTF-8 are accepted`() throws {
        let text = "\u{80}\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFF}\u{10000}\u{10FFFF}"
        #expect(try JSON(parsing: Array("\"\(text)\"".utf8)) == .string(text))
    }

    @Test func `a byte order mark is named, and so is UTF-16`() {
        #expect(refusal("\u{FEFF}{}")?.problem == .byteOrderMark)
        #expect(throws: JSONError.self) { try JSON(parsing: [0xFF, 0xFE, 0x5B, 0, 0x5D, 0]) }
        #expect(throws: JSONError.self) { try JSON(parsing: [0, 0x5B, 0, 0x5D]) }
    }

    @Test func `an error names its place in bytes, lines and characters`() throws {
        let error = try #require(refusal("{\"é\": 1,\n  \"ü\": x}"))
        #expect(error.problem == .expected(.value))
        #expect(error.offset == 18)
        #expect(error.line == 2)
        #expect(error.column == 8)
        #expect(
            error.summary
                == "The JSON is wrong at line 2, column 8 (byte 18): a value was expected here."
        )
    }

    @Test(
        arguments: [
            ("", .ended(before: .value), 0),
            ("[1", .ended(before: .commaOrBracket), 2),
            (#"{"a":1"#, .ended(before: .commaOrBrace), 6),
            (#"{"a""#, .ended(before: .colon), 4),
            ("{", .ended(before: .key), 1),
            ("\"ab", .ended(before: .quote), 3),
            (#""a\"#, .ended(before: .quote), 3),
            (#""\u12"#, .ended(before: .hexDigits), 5),
            ("-", .ended(before: .digit), 1),
            ("[1 2]", .expected(.commaOrBracket), 3),
            ("{1:1}", .expected(.key), 1),
            ("-01", .leadingZero, 1),
            ("\"a\n\"", .controlCharacter, 2),
            (#""ab\x""#, .unknownEscape, 3),
            (#""ab\x"#, .unknownEscape, 3),
            (#""ab\ud800x""#, .loneSurrogate, 3),
            ("[] []", .trailingBytes, 3),
            (#"{"a":1, "a":2}"#, .duplicateKey("a"), 8),
        ] as [(String, JSONError.Problem, Int)]
    )
    func `each problem has its name and offset`(
        text: String,
        problem: JSONError.Problem,
        offset: Int
    ) {
        #expect(refusal(text)?.problem == problem)
        #expect(refusal(text)?.offset == offset)
    }
}

/// The error that a text causes, or nil when it is valid.
func refusal(_ text: String, limits: JSONLimits = .standard) -> JSONError? {
    do throws(JSONError) {
        _ = try JSON(parsing: Array(text.utf8), limits: limits)
        return nil
    } catch {
        return error
    }
}
