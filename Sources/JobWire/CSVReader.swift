internal import JobCore

/// Reads CSV as RFC 4180 has it, row by row: a header, then rows of as many fields.
///
/// | field | value |
/// |---|---|
/// | nothing | NULL |
/// | a number that JSON knows, `true`, `false`, `null` | that, as in JSON |
/// | anything else, and whatever stands in quotes | text |
///
/// So NULL and empty text are told apart as results in CSV do. A number that 64 bits cannot hold
/// stays text, to its last digit. Lines end with CRLF or LF, the last one need not, and a byte
/// order mark is passed over, as spreadsheets write one.
public struct CSVReader: Sendable {
    /// The names in the header.
    public private(set) var columns: [String] = []
    /// Rows that were read or skipped so far.
    public private(set) var rows = 0

    private let bytes: [UInt8]
    /// The first byte that was not read yet.
    private var position: Int

    /// The content of a field, without the quotes around it.
    private struct Field {
        var range: Range<Int>
        var isQuoted = false
        /// True when two quotes stand for one in it.
        var hasPairs = false
    }

    /// Reads the header.
    public init(_ bytes: [UInt8]) throws(CSVError) {
        self.bytes = bytes
        position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        do {
            _ = try UTF8Span(validating: bytes.span)
        } catch {
            throw CSVError(.invalidUTF8, at: error.byteOffsets.lowerBound, of: bytes)
        }
        guard position < bytes.count else { throw failure(.noHeader, at: position) }
        try readHeader()
    }

    /// The next row, a value for each column; nil at the end.
    public mutating func next() throws(CSVError) -> [SQLValue]? {
        guard position < bytes.count else { return nil }
        var values: [SQLValue] = []
        values.reserveCapacity(columns.count)
        try readRow { reader, field in values.append(reader.value(of: field)) }
        return values
    }

    /// Checks the next row as strictly, and passes over it.
    ///
    /// - Returns: False at the end.
    public mutating func skip() throws(CSVError) -> Bool {
        guard position < bytes.count else { return false }
        try readRow { _, _ in }
        return true
    }

    // MARK: Rows

    private mutating func readHeader() throws(CSVError) {
        var names: Set<[UInt8]> = []
        var isLast = false
        while !isLast {
            let start = position
            let field: Field
            (field, isLast) = try readField()
            let name = content(of: field)
            guard columns.count < Limits.columns else {
                throw failure(.tooManyColumns(limit: Limits.columns), at: start)
            }
            guard names.insert(name).inserted else {
                let name = String(decoding: name, as: UTF8.self)
                throw failure(.duplicateColumn(name), at: start)
            }
            columns.append(String(decoding: name, as: UTF8.self))
        }
    }

    /// Gives at most as many fields to `take` as there are columns.
    private mutating func readRow(
        _ take: (CSVReader, Field) -> Void
    ) throws(CSVError) {
        let start = position
        var count = 0
        var isLast = false
        while !isLast {
            let field: Field
            (field, isLast) = try readField()
            count += 1
            if count <= columns.count { take(self, field) }
        }
        guard count == columns.count else {
            throw failure(.fieldCount(count, expected: columns.count), at: start)
        }
        rows += 1
    }

    // MARK: Fields

    /// Reads a field, and moves behind the comma or the line end that follows it.
    private mutating func readField() throws(CSVError) -> (Field, isLast: Bool) {
        let isQuoted = position < bytes.count && bytes[position] == quote
        let field = try isQuoted ? readQuoted() : readPlain()
        guard position < bytes.count else { return (field, true) }
        switch bytes[position] {
        case comma:
            position += 1
            return (field, false)
        case carriageReturn where position + 1 < bytes.count && bytes[position + 1] == lineFeed:
            position += 2
        case carriageReturn: throw failure(.bareCarriageReturn, at: position)
        case lineFeed: position += 1
        default: throw failure(isQuoted ? .textAfterQuote : .strayQuote, at: position)
        }
        return (field, true)
    }

    /// Moves before what ends the field, or before a quote, which must not be there.
    private mutating func readPlain() -> Field {
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case comma, lineFeed, carriageReturn, quote: return Field(range: start..<position)
            default: position += 1
            }
        }
        return Field(range: start..<position)
    }

    private mutating func readQuoted() throws(CSVError) -> Field {
        let start = position
        var field = Field(range: start..<start, isQuoted: true)
        position += 1
        while position < bytes.count {
            defer { position += 1 }
            guard bytes[position] == quote else { continue }
            guard position + 1 < bytes.count, bytes[position + 1] == quote else {
                field.range = (start + 1)..<position
                return field
            }
            field.hasPairs = true
            position += 1
        }
        throw failure(.unclosedQuote, at: start)
    }

    private func failure(_ problem: CSVError.Problem, at offset: Int) -> CSVError {
        CSVError(problem, at: offset, of: bytes)
    }

    // MARK: Values

    private func value(of field: Field) -> SQLValue {
        if !field.isQuoted {
            guard let first = bytes[field.range].first else { return .null }
            if let scalar = scalar(in: field.range, first) { return scalar }
        }
        return .text(String(decoding: content(of: field), as: UTF8.self))
    }

    /// What JSON knows as a number, a truth value or null, with no space around it.
    private func scalar(in range: Range<Int>, _ first: UInt8) -> SQLValue? {
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "t"),
            UInt8(ascii: "f"), UInt8(ascii: "n"):
            break
        default: return nil
        }
        guard let last = bytes[range].last, last > UInt8(ascii: " ") else { return nil }
        switch try? JSON(parsing: bytes, in: range) {
        case .null: return .null
        case .bool(let bool): return .integer(bool ? 1 : 0)
        case .integer(let integer): return .integer(integer)
        case .real(let real): return .real(real)
        case nil, .bigNumber, .string, .array, .object: return nil
        }
    }

    private func content(of field: Field) -> [UInt8] {
        let raw = bytes[field.range]
        guard field.hasPairs else { return Array(raw) }
        var content: [UInt8] = []
        content.reserveCapacity(raw.count)
        var isSecond = false
        for byte in raw {
            isSecond = byte == quote && !isSecond
            if !isSecond { content.append(byte) }
        }
        return content
    }
}

private let comma = UInt8(ascii: ",")
private let quote = UInt8(ascii: "\"")
private let lineFeed = UInt8(ascii: "\n")
private let carriageReturn = UInt8(ascii: "\r")
