import JobWire
import Testing

/// Walking over text and keeping parts of it as they came.
struct JSONScannerTests {
    @Test func `a skipped value is a range of the original bytes`() throws {
        let bytes = Array(#" { "kind" : "echo", "input" :  {"b":1.50, "a":[ ]} , "n":7 } "#.utf8)
        var scanner = try JSONScanner(bytes)
        var input: Range<Int>?
        var rest = JSONObject()
        try scanner.enterObject()
        while let key = try scanner.nextMember() {
            if key == "input" {
                input = try scanner.skipValue()
            } else {
                #expect(rest.append(key, try scanner.value()))
            }
        }
        try scanner.finish()
        let range = try #require(input)
        #expect(String(decoding: bytes[range], as: UTF8.self) == #"{"b":1.50, "a":[ ]}"#)
        #expect(JSON.object(rest) == ["kind": "echo", "n": 7])
        #expect(try JSON(parsing: bytes, in: range)["b"] == 1.5)
    }

    @Test func `arrays are walked element by element`() throws {
        var scanner = try JSONScanner(Array(#"[[1,2],[],{"a":[3]}]"#.utf8))
        var sum: Int64 = 0
        try scanner.enterArray()
        while try scanner.nextElement() {
            switch try scanner.value() {
            case .array(let elements): sum += elements.compactMap(\.integerValue).reduce(0, +)
            case let other: sum += other["a"]?.arrayValue?.first?.integerValue ?? 0
            }
        }
        try scanner.finish()
        #expect(sum == 6)
    }

    @Test func `what is skipped is checked like what is read`() throws {
        for text in [#"{"a":1,"a":2}"#, #""\ud800""#, "[1,]", "\"\u{1}\"", "01"] {
            var scanner = try JSONScanner(Array(text.utf8))
            let expected = try #require(refusal(text))
            #expect(throws: expected) { try scanner.skipValue() }
        }
    }

    @Test func `a duplicate is found between members that were skipped, read and entered`() throws {
        var scanner = try JSONScanner(Array(#"{"a":{"a":0},"b":[],"a":1}"#.utf8))
        try scanner.enterObject()
        #expect(try scanner.nextMember() == "a")
        try scanner.enterObject()
        #expect(try scanner.nextMember() == "a")
        _ = try scanner.skipValue()
        #expect(try scanner.nextMember() == nil)
        #expect(try scanner.nextMember() == "b")
        _ = try scanner.value()
        let error = #expect(throws: JSONError.self) { try scanner.nextMember() }
        #expect(error?.problem == .duplicateKey("a"))
        #expect(error?.offset == 20)
    }

    @Test func `entering the wrong kind is an error of the text`() throws {
        var list = try JSONScanner(Array(" [1]".utf8))
        let noObject = #expect(throws: JSONError.self) { try list.enterObject() }
        #expect(noObject?.problem == .expected(.object))
        #expect(noObject?.offset == 1)
        var word = try JSONScanner(Array("true".utf8))
        let noArray = #expect(throws: JSONError.self) { try word.enterArray() }
        #expect(noArray?.problem == .expected(.array))
    }

    @Test func `a part of the bytes is read without a look beyond it`() throws {
        let bytes = Array("{\"a\":1}\n{\"a\":x}\n12345".utf8)
        #expect(try JSON(parsing: bytes, in: 0..<7) == ["a": 1])
        let error = #expect(throws: JSONError.self) { try JSON(parsing: bytes, in: 8..<15) }
        #expect(error?.offset == 13)
        #expect(error?.line == 2)
        #expect(try JSON(parsing: bytes, in: 16..<18) == 12)
        #expect(throws: JSONError.self) { try JSON(parsing: bytes, in: 8..<8) }
    }
}
