/// The smallest pieces of JSON text: white space, words, numbers, strings.
extension JSONScanner {
    /// The next byte; NUL, which the grammar allows nowhere, at the end.
    var current: UInt8 { position < end ? bytes[position] : 0 }

    private var isAtDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(current) }

    mutating func skipSpace() {
        while position < end {
            switch bytes[position] {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"):
                position += 1
            default:
                return
            }
        }
    }

    mutating func literal(_ word: StaticString) throws(JSONError) {
        let length = word.utf8CodeUnitCount
        let found = bytes[position..<min(position + length, end)]
        guard found.elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: length)) else {
            throw failure(.expected(.value))
        }
        position += length
    }

    /// An error here, or at `offset`; at the end of the text it says that the text ends.
    func failure(_ problem: JSONError.Problem, at offset: Int? = nil) -> JSONError {
        if case .expected(let expectation) = problem, position >= end {
            return JSONError(.ended(before: expectation), at: end, of: bytes)
        }
        return JSONError(problem, at: offset ?? position, of: bytes)
    }
}

// MARK: Numbers

extension JSONScanner {
    mutating func number() throws(JSONError) -> JSON {
        let start = position
        let isNegative = current == UInt8(ascii: "-")
        if isNegative { position += 1 }
        let magnitude = try integerDigits()
        let isReal = try fractionAndExponent()
        guard position - start <= limits.numberBytes else {
            throw failure(.numberTooLong(limit: limits.numberBytes), at: start)
        }
        if !isReal, let magnitude, let value = signed(magnitude, isNegative: isNegative) {
            return .integer(value)
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        let isNegativeZero = isNegative && magnitude == 0
        guard isReal || isNegativeZero, let value = Double(text), value.isFinite else {
            return .bigNumber(text)
        }
        return .real(value)
    }

    /// - Returns: The digits before a point or exponent as a number, or nil when 64 bits are too
    ///   few.
    private mutating func integerDigits() throws(JSONError) -> UInt64? {
        let start = position
        guard isAtDigit else { throw failure(.expected(.digit)) }
        var magnitude: UInt64? = 0
        while isAtDigit {
            let digit = UInt64(bytes[position] - UInt8(ascii: "0"))
            position += 1
            guard let sofar = magnitude else { continue }
            let (tens, overflowed) = sofar.multipliedReportingOverflow(by: 10)
            let (sum, carried) = tens.addingReportingOverflow(digit)
            magnitude = overflowed || carried ? nil : sum
        }
        if position - start > 1, bytes[start] == UInt8(ascii: "0") {
            throw failure(.leadingZero, at: start)
        }
        return magnitude
    }

    /// - Returns: True when there was one of the two.
    private mutating func fractionAndExponent() throws(JSONError) -> Bool {
        let start = position
        if current == UInt8(ascii: ".") {
            position += 1
            try skipDigits()
        }
        if current | 0x20 == UInt8(ascii: "e") {
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            try skipDigits()
        }
        return position > start
    }

    private mutating func skipDigits() throws(JSONError) {
        guard isAtDigit else { throw failure(.expected(.digit)) }
        while isAtDigit { position += 1 }
    }

    /// - Returns: Nil outside `Int64`, and for minus zero.
    private func signed(_ magnitude: UInt64, isNegative: Bool) -> Int64? {
        guard isNegative else { return Int64(exactly: magnitude) }
        guard magnitude > 0, magnitude <= Int64.min.magnitude else { return nil }
        return Int64(truncatingIfNeeded: 0 &- magnitude)
    }
}

// MARK: Strings

extension JSONScanner {
    /// Reads the string that begins here; when it is not kept, checks it and returns "".
    mutating func string(keeping: Bool) throws(JSONError) -> String {
        position += 1
        let start = position
        var runStart = position
        unescaped.removeAll(keepingCapacity: true)
        while true {
            skipPlain()
            guard position < end else { throw failure(.expected(.quote)) }
            switch bytes[position] {
            case UInt8(ascii: "\""):
                let run = runStart..<position
                position += 1
                if !keeping { return "" }
                if runStart == start { return String(decoding: bytes[run], as: UTF8.self) }
                unescaped.append(contentsOf: bytes[run])
                return String(decoding: unescaped, as: UTF8.self)
            case UInt8(ascii: "\\"):
                if keeping { unescaped.append(contentsOf: bytes[runStart..<position]) }
                let scalar = try escape()
                if keeping { unescaped.append(contentsOf: UTF8.encode(scalar) ?? .init()) }
                runStart = position
            case 0..<0x20:
                throw failure(.controlCharacter)
            default:
                let length = utf8Length(in: bytes, at: position, end: end)
                guard length > 0 else { throw failure(.invalidUTF8) }
                position += length
            }
        }
    }

    /// Moves over ASCII that stands for itself: most of most texts, so it is worth a tight loop.
    private mutating func skipPlain() {
        var place = position
        while place < end {
            let byte = bytes[place]
            let isSpecial = byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
            if byte < 0x20 || byte >= 0x80 || isSpecial { break }
            place += 1
        }
        position = place
    }

    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        let start = position
        position += 1
        guard position < end else { throw failure(.expected(.quote)) }
        let letter = bytes[position]
        position += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            return Unicode.Scalar(letter)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape(from: start)
        default: throw failure(.unknownEscape, at: start)
        }
    }

    /// Reads what follows `\u`: one code unit, or two that are a surrogate pair.
    private mutating func unicodeEscape(from start: Int) throws(JSONError) -> Unicode.Scalar {
        let first = try hexUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard UTF16.isLeadSurrogate(first), current == UInt8(ascii: "\\") else {
            throw failure(.loneSurrogate, at: start)
        }
        position += 1
        guard current == UInt8(ascii: "u") else { throw failure(.loneSurrogate, at: start) }
        position += 1
        let second = try hexUnit()
        guard UTF16.isTrailSurrogate(second) else { throw failure(.loneSurrogate, at: start) }
        return UTF16.decode(UTF16.EncodedScalar([first, second]))
    }

    private mutating func hexUnit() throws(JSONError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            let byte = current
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw failure(.expected(.hexDigits))
            }
            unit = unit << 4 | UInt16(digit)
            position += 1
        }
        return unit
    }
}

/// The length of the well-formed UTF-8 sequence of two to four bytes at `start`, or 0.
///
/// Source: the Unicode Standard, table 3-7. The bounds of the second byte keep out overlong forms,
/// surrogates and what lies beyond U+10FFFF.
func utf8Length<Bytes: RandomAccessCollection<UInt8>>(
    in bytes: Bytes,
    at start: Int,
    end: Int
) -> Int where Bytes.Index == Int {
    let length: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch bytes[start] {
    case 0xC2...0xDF: length = 2
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: length = 3
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: length = 4
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    default: return 0
    }
    guard end - start >= length, second.contains(bytes[start + 1]) else { return 0 }
    for place in start + 2..<start + length where bytes[place] & 0xC0 != 0x80 { return 0 }
    return length
}
