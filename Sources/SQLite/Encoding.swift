/// The bytes of single values in JSON and CSV.
extension [UInt8] {
    /// Has `body` write behind the end, at most `capacity` bytes, and tell how many it wrote.
    @inline(__always)
    private mutating func write(
        upTo capacity: Int,
        _ body: (UnsafeMutableBufferPointer<UInt8>) -> Int
    ) {
        append(addingCapacity: capacity) { end in
            end.withUnsafeMutableBufferPointer { room, count in count = body(room) }
        }
    }

    mutating func append(decimal number: Int64) {
        if number < 0 { append(UInt8(ascii: "-")) }
        append(digits: number.magnitude)
    }

    private mutating func append(digits number: UInt64) {
        write(upTo: Self.mostDigits) { room in
            var start = Self.mostDigits
            var rest = number
            repeat {
                start -= 1
                room[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            let count = Self.mostDigits - start
            for place in 0..<count { room[place] = room[start + place] }
            return count
        }
    }

    /// Of a `UInt64`.
    private static var mostDigits: Int { 20 }

    /// The shortest digits that read back the same. Swift's form (`1.0`, `1e+300`) is JSON's too.
    mutating func append(real number: Double, asJSON: Bool) {
        if let tenThousandths = number.tenThousandths { return append(tenThousandths) }
        var text = number.description
        if number.isInfinite && asJSON { text = "{\"real\":\"\(text)\"}" }
        append(contentsOf: text.utf8)
    }

    /// With a point, and one to four digits behind it.
    private mutating func append(_ tenThousandths: Int64) {
        if tenThousandths < 0 { append(UInt8(ascii: "-")) }
        let (whole, fraction) = tenThousandths.magnitude.quotientAndRemainder(dividingBy: 10_000)
        append(digits: whole)
        append(UInt8(ascii: "."))
        var (rest, unit): (UInt64, UInt64) = (fraction, 1_000)
        repeat {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / unit))
            rest %= unit
            unit /= 10
        } while rest > 0
    }

    mutating func appendJSON(_ text: String) {
        var text = text
        text.withUTF8 { appendJSON(UnsafeRawBufferPointer($0)) }
    }

    /// A string that is plain, as most are.
    mutating func appendJSON(plain text: UnsafeRawBufferPointer) {
        write(upTo: text.count + 2) { room in
            room[0] = UInt8(ascii: "\"")
            let inside = UnsafeMutableRawBufferPointer(room).dropFirst()
            UnsafeMutableRawBufferPointer(rebasing: inside).copyMemory(from: text)
            room[text.count + 1] = UInt8(ascii: "\"")
            return text.count + 2
        }
    }

    /// A string of UTF-8. What needs no escape is copied in runs.
    mutating func appendJSON(_ text: UnsafeRawBufferPointer) {
        append(UInt8(ascii: "\""))
        var copied = 0
        while let place = text.firstToEscape(from: copied) {
            append(contentsOf: UnsafeRawBufferPointer(rebasing: text[copied..<place]))
            appendEscape(of: text[place])
            copied = place + 1
        }
        append(contentsOf: UnsafeRawBufferPointer(rebasing: text[copied...]))
        append(UInt8(ascii: "\""))
    }

    mutating func appendJSON(base64 raw: UnsafeRawBufferPointer) {
        append(contentsOf: "{\"base64\":\"".utf8)
        append(base64: raw)
        append(contentsOf: "\"}".utf8)
    }

    /// A field as RFC 4180 has it. Empty text is quoted, because nothing at all is NULL.
    mutating func appendCSV(_ text: UnsafeRawBufferPointer) {
        let quote = UInt8(ascii: "\"")
        let isSpecial = text.contains { byte in
            byte == quote || byte == UInt8(ascii: ",") || byte == 0x0D || byte == 0x0A
        }
        guard isSpecial || text.isEmpty else { return append(contentsOf: text) }

        append(quote)
        for byte in text {
            if byte == quote { append(quote) }
            append(byte)
        }
        append(quote)
    }

    mutating func appendCSV(base64 raw: UnsafeRawBufferPointer) {
        if raw.isEmpty { append(contentsOf: "\"\"".utf8) }
        append(base64: raw)
    }

    /// Source: RFC 4648, section 4.
    mutating func append(base64 raw: UnsafeRawBufferPointer) {
        var place = 0
        while place < raw.count {
            let left = raw.count - place
            let second = left > 1 ? raw[place + 1] : 0
            let third = left > 2 ? raw[place + 2] : 0
            let bits = UInt32(raw[place]) << 16 | UInt32(second) << 8 | UInt32(third)
            append(base64Digit(bits >> 18))
            append(base64Digit(bits >> 12))
            append(left > 1 ? base64Digit(bits >> 6) : UInt8(ascii: "="))
            append(left > 2 ? base64Digit(bits) : UInt8(ascii: "="))
            place += 3
        }
    }

    private mutating func appendEscape(of byte: UInt8) {
        append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(byte)
        case 0x0A: append(UInt8(ascii: "n"))
        case 0x0D: append(UInt8(ascii: "r"))
        case 0x09: append(UInt8(ascii: "t"))
        default:
            append(contentsOf: "u00".utf8)
            append(hexDigit(byte >> 4))
            append(hexDigit(byte & 0xF))
        }
    }
}

extension Double {
    /// The number in ten thousandths, if it is a decimal of at most 15 digits, of which four may
    /// stand behind the point. They are its shortest digits then: no two decimals of at most 15
    /// digits are the same `Double`.
    fileprivate var tenThousandths: Int64? {
        guard magnitude < 1e11, bitPattern != (-0.0).bitPattern else { return nil }
        let nearest = Int64(self * 10_000 + (self < 0 ? -0.5 : 0.5))
        // A quotient of exact numbers is the `Double` that the decimal reads as.
        return Double(nearest) / 10_000 == self ? nearest : nil
    }
}

extension UnsafeRawBufferPointer {
    var isUTF8: Bool {
        withMemoryRebound(to: UInt8.self) { (try? UTF8Span(validating: $0.span)) != nil }
    }

    /// True when it is ASCII without a byte that must be escaped.
    var isPlain: Bool {
        var place = 0
        while place + 8 <= count {
            let word = loadUnaligned(fromByteOffset: place, as: UInt64.self)
            if hasByteToEscape(word) || word & 0x8080_8080_8080_8080 != 0 { return false }
            place += 8
        }
        while place < count {
            if self[place] >= 0x80 || mustBeEscaped(self[place]) { return false }
            place += 1
        }
        return true
    }

    /// The first byte at or after `start` that JSON does not let stand in a string: a control
    /// character, a quote or a backslash.
    fileprivate func firstToEscape(from start: Int) -> Int? {
        var place = start
        while place + 8 <= count {
            let word = loadUnaligned(fromByteOffset: place, as: UInt64.self)
            if hasByteToEscape(word) { break }
            place += 8
        }
        return self[place...].firstIndex(where: mustBeEscaped)
    }
}

private func mustBeEscaped(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x22 || byte == 0x5C }

/// True when one of eight bytes must be escaped.
///
/// Source: Warren, "Hacker's Delight", 2nd edition, section 6-1: a byte that is less than n makes
/// its own highest bit differ when n is taken from all bytes at once.
private func hasByteToEscape(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quotes = word ^ (ones &* 0x22)
    let backslashes = word ^ (ones &* 0x5C)
    let found =
        (word &- ones &* 0x20) & ~word
        | (quotes &- ones) & ~quotes
        | (backslashes &- ones) & ~backslashes
    return found & (ones &* 0x80) != 0
}

private func base64Digit(_ bits: UInt32) -> UInt8 {
    switch UInt8(bits & 0x3F) {
    case let value where value < 26: UInt8(ascii: "A") + value
    case let value where value < 52: UInt8(ascii: "a") + value - 26
    case let value where value < 62: UInt8(ascii: "0") + value - 52
    case 62: UInt8(ascii: "+")
    default: UInt8(ascii: "/")
    }
}

private func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}
