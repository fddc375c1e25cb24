import JobWire
import Testing

/// What values become: numbers exact, escapes decoded, keys once and in order, limits kept.
struct JSONValueTests {
    @Test(arguments: [
        ("0", 0), ("7", 7), ("-7", -7), ("9007199254740993", 9_007_199_254_740_993),
        ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min),
    ])
    func `integers are exact to 64 bits`(text: String, value: Int64) throws {
        #expect(try parse(text) == .integer(value))
        #expect(JSON.integer(value).encoded() == Array(text.utf8))
    }

    @Test(arguments: [
        "9223372036854775808", "-9223372036854775809", "18446744073709551615",
        "18446744073709551616", "-18446744073709551616", "184467440737095516150", "1e400", "-1e400",
        String(repeating: "9", count: 1024),
    ])
    func `numbers beyond our types keep their digits`(text: String) throws {
        #expect(try parse(text) == .bigNumber(text))
        #expect(try parse(text).encoded() == Array(text.utf8))
        #expect(try parse(text).integerValue == nil)
    }

    @Test(arguments: [
        ("1.0", 1.0), ("1e3", 1000), ("-1.5E-3", -0.0015), ("0.1", 0.1),
        ("5e-324", .leastNonzeroMagnitude),
        ("1.7976931348623157e308", 1.7976931348623157e308), ("1e-400", 0), ("0e99", 0),
        ("123456789012345678901.0", 123456789012345678901.0),
    ])
    func `a point or an exponent makes a real`(text: String, value: Double) throws {
        #expect(try parse(text) == .real(value))
        #expect(try parse(text).integerValue == nil)
    }

    @Test func `minus zero keeps its sign`() throws {
        for text in ["-0", "-0.0", "-0e1"] {
            let value = try #require(try parse(text).realValue)
            #expect(value == 0 && value.sign == .minus)
        }
        #expect(JSON.real(-0.0).encoded() == Array("-0.0".utf8))
    }

    @Test func `escapes are decoded`() throws {
        #expect(try parse(#""a\"\\\/\b\f\n\r\tz""#) == .string("a\"\\/\u{8}\u{C}\n\r\tz"))
        #expect(try parse(#""\u0041\u00e9\u20AC\ud834\uDD1E\u0000""#) == .string("Aé€𝄞\u{0}"))
        #expect(try parse(#"["\n", "plain", "\t"]"#) == ["\n", "plain", "\t"])
    }

    @Test func `the order of members is kept, few or many`() throws {
        for count in [1, 16, 17, 500] {
            let keys = (0..<count).map { "k\($0 * 7919 % 1009)" }
            let text = keys.map { "\"\($0)\":\"\($0)!\"" }.joined(separator: ",")
            let object = try #require(try parse("{\(text)}").objectValue)
            #expect(object.members.map(\.key) == keys)
            #expect(keys.allSatisfy { object[$0] == .string($0 + "!") })
            #expect(object["absent"] == nil)
        }
    }

    @Test func `a key may stand once, however it is spelt and however many there are`() {
        #expect(refusal(#"{"a":1,"\u0061":2}"#)?.problem == .duplicateKey("a"))
        #expect(refusal(#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#) == nil)
        let many = (0..<100).map { "\"k\($0)\":0," }.joined()
        #expect(refusal("{\(many)\"k50\":0}")?.problem == .duplicateKey("k50"))
        #expect(refusal("{\(many)\"k100\":0}") == nil)
    }

    @Test func `a duplicate key is shown short and escaped`() throws {
        let key = #"\n"# + String(repeating: "x", count: 1000)
        let summary = try #require(refusal("{\"\(key)\":0,\"\(key)\":0}")).summary
        #expect(summary.contains(#"the key "\nx"#) && summary.utf8.count < 200)
    }

    @Test func `keys are compared by their bytes, not by their look`() throws {
        let object = try #require(try parse(#"{"\u00e9":1,"e\u0301":2}"#).objectValue)
        #expect(object["\u{e9}"] == 1)
        #expect(object["e\u{301}"] == 2)
    }

    @Test func `depth has a limit`() {
        func nested(_ depth: Int, _ open: String, _ close: String) -> String {
            String(repeating: open, count: depth) + "0" + String(repeating: close, count: depth)
        }
        #expect(refusal(nested(64, "[", "]")) == nil)
        #expect(refusal(nested(64, "{\"a\":", "}")) == nil)
        #expect(refusal(nested(65, "[", "]"))?.problem == .tooDeep(limit: 64))
        #expect(refusal(nested(65, "{\"a\":", "}"))?.offset == 64 * 5)
        #expect(refusal(nested(2, "[", "]"), limits: JSONLimits(depth: 1)) != nil)
        #expect(refusal(nested(512, "[", "]"), limits: JSONLimits(depth: 512)) == nil)
        #expect(refusal(String(repeating: "[", count: 100_000))?.problem == .tooDeep(limit: 64))
    }

    @Test func `the number of values has a limit, skipped or read`() throws {
        let limits = JSONLimits(values: 4)
        #expect(refusal("[1,[],2]", limits: limits) == nil)
        #expect(refusal("[1,[],2,3]", limits: limits)?.problem == .tooManyValues(limit: 4))
        var scanner = try JSONScanner(Array("[1,[],2,3]".utf8), limits: limits)
        #expect(throws: JSONError.self) { try scanner.skipValue() }
    }

    @Test func `a number has a longest form`() {
        let digits = String(repeating: "1", count: 1025)
        #expect(refusal("[\(digits)]")?.problem == .numberTooLong(limit: 1024))
        #expect(refusal("[0.\(digits)]")?.offset == 1)
    }

    @Test func `accessors answer for their own kind only`() throws {
        let value = try parse(#"{"s":"x","i":3,"r":2.5,"b":true,"n":null,"a":[1],"o":{}}"#)
        #expect(value["s"]?.stringValue == "x" && value["i"]?.stringValue == nil)
        #expect(value["i"]?.integerValue == 3 && value["r"]?.integerValue == nil)
        #expect(value["r"]?.realValue == 2.5 && value["i"]?.realValue == 3)
        #expect(value["b"]?.boolValue == true && value["n"]?.boolValue == nil)
        #expect(value["n"]?.isNull == true && value["absent"] == nil)
        #expect(value["a"]?.arrayValue == [1] && value["o"]?.arrayValue == nil)
        #expect(value["o"]?.objectValue?.isEmpty == true && value["a"]?["x"] == nil)
    }

    private func parse(_ text: String) throws -> JSON { try JSON(parsing: Array(text.utf8)) }
}
