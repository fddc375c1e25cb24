import JobWire
import Testing

/// The text we write, byte by byte.
struct JSONWriterTests {
    @Test func `compact text has no space and every comma`() {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("a", nil)
        writer.key("b")
        writer.beginArray()
        writer.integer(.min)
        writer.bool(false)
        writer.real(1)
        writer.beginObject()
        writer.endObject()
        writer.beginArray()
        writer.endArray()
        writer.endArray()
        writer.key("c")
        writer.raw(Array(#"{"x": 1}"#.utf8))
        writer.key("d")
        writer.raw(Array("[0]7".utf8)[0..<3])
        writer.endObject()
        #expect(
            text(writer.finish())
                == #"{"a":null,"b":[-9223372036854775808,false,1.0,{},[]],"c":{"x": 1},"d":[0]}"#
        )
    }

    @Test func `pretty text indents by two spaces`() {
        let value: JSON = ["a": [1, "x", [:]], "b": [:], "c": ["d": []]]
        let expected = """
            {
              "a": [
                1,
                "x",
                {}
              ],
              "b": {},
              "c": {
                "d": []
              }
            }
            """
        #expect(text(value.encoded(pretty: true)) == expected)
    }

    @Test func `strings escape what they must and nothing else`() {
        #expect(
            text(JSON.string("a\"b\\c/\n\r\t\u{8}\u{C}\u{0}\u{1F}\u{7F}é€𝄞\u{2028}").encoded())
                == #""a\"b\\c/\n\r\t\u0008\u000c\u0000\u001f"# + "\u{7F}é€𝄞\u{2028}\""
        )
        #expect(text(JSON.string("").encoded()) == "\"\"")
        #expect(text(JSON.string("\"").encoded()) == #""\"""#)
        #expect(text((["\n": 1] as JSON).encoded()) == #"{"\n":1}"#)
    }

    @Test(arguments: [
        (0.0, "0.0"), (1, "1.0"), (-1.5, "-1.5"), (0.1, "0.1"), (1e16, "1e+16"),
        (.leastNonzeroMagnitude, "5e-324"),
        (.greatestFiniteMagnitude, "1.7976931348623157e+308"), (1.0 / 3, "0.3333333333333333"),
    ])
    func `reals are the shortest digits that come back`(value: Double, expected: String) {
        #expect(text(JSON.real(value).encoded()) == expected)
    }

    @Test func `what is not finite is not written`() {
        var writer = JSONWriter()
        for value in [Double.infinity, -.infinity, .nan] {
            let written = writer.real(ifFinite: value)
            #expect(!written)
        }
        #expect(writer.bytes.isEmpty)
        let written = writer.real(ifFinite: 2.5)
        #expect(written)
        #expect(text(writer.finish()) == "2.5")
    }

    @Test func `bytes are written as a string only when they are UTF-8`() {
        var writer = JSONWriter()
        writer.beginArray()
        for bytes in [Array("é\n".utf8), [], [0x61, 0xC3], [0xED, 0xA0, 0x80], Array("z".utf8)] {
            let isText = String(validating: bytes, as: UTF8.self) != nil
            let written = bytes.withUnsafeBytes { writer.string(ifUTF8: $0) }
            #expect(written == isText)
        }
        writer.endArray()
        #expect(text(writer.finish()) == #"["é\n","","z"]"#)
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
