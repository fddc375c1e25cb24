/// Writes JSON text into one buffer, piece by piece, without a value in between.
///
/// Commas and, if wanted, line breaks come by themselves. The caller sees to it that members have a
/// key and elements have none, and that what was begun is ended.
public struct JSONWriter: Sendable {
    /// What has been written so far.
    public private(set) var bytes: [UInt8] = []
    private let pretty: Bool
    private var depth = 0
    private var needsComma = false
    /// The value continues the line of its key.
    private var followsKey = false

    /// - Parameters:
    ///   - pretty: Lines, indented by two spaces, instead of compact text.
    ///   - capacity: The expected length in bytes.
    public init(pretty: Bool = false, capacity: Int = 256) {
        self.pretty = pretty
        bytes.reserveCapacity(capacity)
    }

    /// The whole text. Everything begun must have been ended.
    public consuming func finish() -> [UInt8] {
        precondition(depth == 0 && !followsKey, "the JSON is not complete")
        return bytes
    }

    /// What was written since the last time: for a text that shall not be in memory as a whole.
    public mutating func drain() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    public mutating func beginObject() { begin(UInt8(ascii: "{")) }
    public mutating func endObject() { end(UInt8(ascii: "}")) }
    public mutating func beginArray() { begin(UInt8(ascii: "[")) }
    public mutating func endArray() { end(UInt8(ascii: "]")) }

    public mutating func key(_ key: String) {
        string(key)
        bytes.append(UInt8(ascii: ":"))
        if pretty { bytes.append(UInt8(ascii: " ")) }
        followsKey = true
    }

    public mutating func member(_ key: String, _ value: JSON) {
        self.key(key)
        self.value(value)
    }

    public mutating func value(_ value: JSON) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .integer(let value): integer(value)
        case .real(let value): real(value)
        case .bigNumber(let text): verbatim(text.utf8)
        case .string(let text): string(text)
        case .array(let elements):
            beginArray()
            for element in elements { self.value(element) }
            endArray()
        case .object(let object):
            beginObject()
            for member in object.members { self.member(member.key, member.value) }
            endObject()
        }
    }

    public mutating func null() { verbatim("null".utf8) }

    public mutating func bool(_ value: Bool) { verbatim((value ? "true" : "false").utf8) }

    public mutating func integer(_ value: Int64) {
        beginValue()
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        var rest = value.magnitude
        let start = bytes.count
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    /// Writes the shortest digits that read back as the same value; `1.0` stays `1.0`.
    ///
    /// The value must be finite, for JSON has no other.
    public mutating func real(_ value: Double) {
        precondition(value.isFinite, "JSON has no infinity and no NaN")
        verbatim(value.description.utf8)
    }

    /// - Returns: False, with nothing written, when the value is infinite or NaN.
    public mutating func real(ifFinite value: Double) -> Bool {
        guard value.isFinite else { return false }
        real(value)
        return true
    }

    public mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { quote($0) }
    }

    /// Writes text that comes from elsewhere as bytes.
    ///
    /// - Returns: False, with nothing written, when the bytes are not UTF-8.
    public mutating func string(ifUTF8 text: UnsafeRawBufferPointer) -> Bool {
        let text = text.bindMemory(to: UInt8.self)
        var position = 0
        while position < text.count {
            let length =
                text[position] < 0x80 ? 1 : utf8Length(in: text, at: position, end: text.count)
            guard length > 0 else { return false }
            position += length
        }
        quote(text)
        return true
    }

    /// Writes one value that is JSON text already; it keeps its own white space.
    public mutating func raw(_ json: ArraySlice<UInt8>) { verbatim(json) }

    public mutating func raw(_ json: [UInt8]) { verbatim(json) }
}

extension JSONWriter {
    private mutating func verbatim(_ json: some Collection<UInt8>) {
        beginValue()
        bytes.append(contentsOf: json)
    }

    private mutating func begin(_ bracket: UInt8) {
        beginValue()
        bytes.append(bracket)
        depth += 1
        needsComma = false
    }

    private mutating func end(_ bracket: UInt8) {
        precondition(depth > 0 && !followsKey, "nothing to end")
        depth -= 1
        if needsComma { breakLine() }
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func beginValue() {
        if followsKey {
            followsKey = false
            return
        }
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
        if depth > 0 { breakLine() }
    }

    private mutating func breakLine() {
        guard pretty else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * depth))
    }

    /// Copies the text in runs between the few bytes that must be escaped.
    private mutating func quote(_ text: UnsafeBufferPointer<UInt8>) {
        beginValue()
        bytes.append(UInt8(ascii: "\""))
        var runStart = 0
        for (place, byte) in text.enumerated()
        where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
            bytes.append(contentsOf: text[runStart..<place])
            escape(byte)
            runStart = place + 1
        }
        bytes.append(contentsOf: text[runStart...])
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\n"): bytes.append(UInt8(ascii: "n"))
        case UInt8(ascii: "\r"): bytes.append(UInt8(ascii: "r"))
        case UInt8(ascii: "\t"): bytes.append(UInt8(ascii: "t"))
        case 0..<0x20:
            let hex = StaticString("0123456789abcdef").utf8Start
            bytes.append(contentsOf: "u00".utf8)
            bytes.append(hex[Int(byte >> 4)])
            bytes.append(hex[Int(byte & 15)])
        default: bytes.append(byte)
        }
    }
}
