internal import JobCore

/// Walks over a request's JSON; what is no JSON becomes a refusal.
struct Cursor {
    private var scanner: JSONScanner

    init(_ bytes: [UInt8], in range: Range<Int>?) throws(Refusal) {
        do { scanner = try JSONScanner(bytes, in: range) } catch { throw Refusal(error) }
    }

    mutating func enterObject(_ field: String) throws(Refusal) {
        try expect(UInt8(ascii: "{"), field, "an object")
        do { try scanner.enterObject() } catch { throw Refusal(error) }
    }

    mutating func enterArray(_ field: String) throws(Refusal) {
        try expect(UInt8(ascii: "["), field, "an array")
        do { try scanner.enterArray() } catch { throw Refusal(error) }
    }

    mutating func nextMember() throws(Refusal) -> String? {
        do { return try scanner.nextMember() } catch { throw Refusal(error) }
    }

    mutating func nextElement() throws(Refusal) -> Bool {
        do { return try scanner.nextElement() } catch { throw Refusal(error) }
    }

    mutating func value() throws(Refusal) -> JSON {
        do { return try scanner.value() } catch { throw Refusal(error) }
    }

    mutating func skipValue() throws(Refusal) {
        do { _ = try scanner.skipValue() } catch { throw Refusal(error) }
    }

    mutating func finish() throws(Refusal) {
        do { try scanner.finish() } catch { throw Refusal(error) }
    }

    /// The first byte that was not read yet and is no white space.
    var position: Int {
        mutating get {
            scanner.skipSpace()
            return scanner.position
        }
    }

    /// Behind the last byte that was read.
    var end: Int { scanner.position }

    private mutating func expect(
        _ bracket: UInt8,
        _ field: String,
        _ wants: String
    ) throws(Refusal) {
        scanner.skipSpace()
        guard scanner.current != bracket else { return }
        throw .wrongType(field, wants: wants, found: try value())
    }
}
