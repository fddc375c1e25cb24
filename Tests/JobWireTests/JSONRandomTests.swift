import JobTesting
import JobWire
import Testing

/// Random values come back as they went; random damage is never worse than an error.
struct JSONRandomTests {
    @Test(arguments: [false, true])
    func `every value comes back from its text`(pretty: Bool) throws {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<2_000 {
            let value = randomJSON(depth: 5, &random)
            let bytes = value.encoded(pretty: pretty)
            let found = try JSON(parsing: bytes)
            #expect(found == value)
            // Equality of strings is loose, that of bytes is not.
            #expect(found.encoded(pretty: pretty) == bytes)
            var scanner = try JSONScanner(bytes)
            #expect(try scanner.skipValue() == bytes.indices)
        }
    }

    @Test func `every bit pattern of a finite real comes back`() throws {
        var random = SeededGenerator(seed: 2)
        for _ in 0..<10_000 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            let found = try JSON(parsing: JSON.real(value).encoded()).realValue
            #expect(found?.bitPattern == value.bitPattern)
        }
    }

    @Test func `damaged text is refused or read, and reading and skipping agree`() {
        var random = SeededGenerator(seed: 3)
        var accepted = 0
        for round in 0..<100_000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0..<Int.random(in: 1...4, using: &random) { damage(&bytes, &random) }
            let value = try? JSON(parsing: bytes)
            #expect((value != nil) == isSkippable(bytes))
            if let value {
                accepted += 1
                #expect((try? JSON(parsing: value.encoded())) == value)
            }
        }
        // Were all refused, the test would see little of the parser.
        #expect(accepted > 1_000)
    }

    private let seeds: [[UInt8]] = [
        #"{"kind":"sql","database":"sales","sql":"select\t\"é\" \ud83d\ude39","params":[1,-2.5e3]}"#,
        #"[[],{},[{"a":[null,true,false]}],"",0,-0,9223372036854775808,1E400,"\u0000\\"]"#,
        #" {"€":{"𝄞":{"a":{"b":{"c":[0.1, 12345678901234567890]}}}}, "x" : "y" } "#,
    ].map { Array($0.utf8) }

    private func isSkippable(_ bytes: [UInt8]) -> Bool {
        do throws(JSONError) {
            var scanner = try JSONScanner(bytes)
            _ = try scanner.skipValue()
            try scanner.finish()
            return true
        } catch {
            return false
        }
    }

    private func damage(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        guard let place = bytes.indices.randomElement(using: &random) else { return }
        let grammar = Array("{}[],:\"\\u-+.eE0189dDtfn \n".utf8)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[place] = grammar.randomElement(using: &random) ?? 0
        case 2: bytes.remove(at: place)
        case 3: bytes.insert(grammar.randomElement(using: &random) ?? 0, at: place)
        case 4: bytes.removeSubrange(place..<min(place + 5, bytes.count))
        default: bytes.insert(contentsOf: bytes[place..<min(place + 9, bytes.count)], at: place)
        }
    }

    private func randomJSON(depth: Int, _ random: inout SeededGenerator) -> JSON {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2:
            return .integer(
                Int64(bitPattern: random.next() >> UInt64.random(in: 0..<64, using: &random))
            )
        case 3: return .real(Double.random(in: -1e9...1e9, using: &random))
        case 4: return .bigNumber("-1\(random.next())\(random.next())")
        case 5: return .string(randomString(&random))
        case 6:
            let count = Int.random(in: 0..<5, using: &random)
            return .array((0..<count).map { _ in randomJSON(depth: depth - 1, &random) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0..<20, using: &random) {
                // A key that came before is left out.
                _ = object.append(randomString(&random), randomJSON(depth: depth - 3, &random))
            }
            return .object(object)
        }
    }

    private func randomString(_ random: inout SeededGenerator) -> String {
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0..<12, using: &random) {
            let limit: UInt32 =
                [0x20, 0x80, 0x800, 0x1_0000, 0x11_0000].randomElement(using: &random) ?? 1
            text.append(Unicode.Scalar(UInt32.random(in: 0..<limit, using: &random)) ?? "\u{FFFD}")
        }
        return String(text)
    }
}
