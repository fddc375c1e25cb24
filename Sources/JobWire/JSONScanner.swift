/// How much JSON is read before it is refused. The length of the text is bounded by who receives
/// it.
public struct JSONLimits: Equatable, Sendable {
    /// Arrays and objects inside each other. Reading is recursive, so this bounds the stack.
    public var depth: Int
    /// Values of all kinds, keys not counted. Measured, a million cost 35 to 120 MiB as `JSON`, the
    /// least as empty arrays, the most as members of one object; skipped ones cost only their keys.
    public var values: Int
    /// Bytes of one number.
    public var numberBytes: Int

    public static let standard = JSONLimits()

    /// The depth is 1 to 512, which a thread's usual stack holds.
    public init(depth: Int = 64, values: Int = 1_000_000, numberBytes: Int = 1024) {
        precondition((1...512).contains(depth), "the depth limit protects the stack")
        self.depth = depth
        self.values = values
        self.numberBytes = numberBytes
    }
}

/// Walks over JSON text, value by value: each is entered, read, or skipped as a range of bytes.
///
/// ```
/// var scanner = try JSONScanner(bytes)
/// try scanner.enterObject()
/// while let key = try scanner.nextMember() {
///     switch key {
///     case "input": input = try scanner.skipValue()  // bytes[input] is kept as it came
///     default: rest.append((key, try scanner.value()))
///     }
/// }
/// try scanner.finish()
/// ```
/// What is skipped is checked as strictly as what is read: duplicate keys, UTF-8, limits. After
/// `nextMember` or `nextElement` exactly one value must be entered, read or skipped; another order
/// of calls is a mistake of ours and traps. After an error the scanner is of no more use.
public struct JSONScanner: Sendable {
    let bytes: [UInt8]
    let end: Int
    let limits: JSONLimits
    /// The first byte not read yet.
    public internal(set) var position: Int

    private var levels: [Level] = []
    private var valueCount = 0
    private var valueIsDue = true
    /// The unescaped bytes of the current string, kept for its memory.
    var unescaped: [UInt8] = []

    /// An array or object that is open.
    private struct Level: Sendable {
        let closing: UInt8
        var isEmpty = true
        /// The members so far; when values are skipped, their keys with null.
        var object = JSONObject()
    }

    /// Begins before the first value of the part `range` of `bytes`, or of all of them. A byte
    /// order mark is refused here, everything else where it is met.
    public init(
        _ bytes: [UInt8],
        in range: Range<Int>? = nil,
        limits: JSONLimits = .standard
    ) throws(JSONError) {
        let range = range ?? bytes.indices
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range of the text")
        self.bytes = bytes
        self.limits = limits
        self.position = range.lowerBound
        self.end = range.upperBound
        if bytes[range].starts(with: [0xEF, 0xBB, 0xBF]) { throw failure(.byteOrderMark) }
    }

    // MARK: Whole values

    public mutating func value() throws(JSONError) -> JSON {
        try read(keeping: true)
    }

    /// - Returns: The place of the value in `bytes`, without white space around it.
    public mutating func skipValue() throws(JSONError) -> Range<Int> {
        skipSpace()
        let start = position
        _ = try read(keeping: false)
        return start..<position
    }

    /// Checks that nothing but white space is left.
    public mutating func finish() throws(JSONError) {
        precondition(levels.isEmpty && !valueIsDue, "finish before the end of the value")
        skipSpace()
        guard position == end else { throw failure(.trailingBytes) }
    }

    // MARK: Piece by piece

    public mutating func enterObject() throws(JSONError) {
        try beginValue()
        guard current == UInt8(ascii: "{") else { throw failure(.expected(.object)) }
        try open(closing: UInt8(ascii: "}"))
    }

    /// Moves before the next member's value and returns its key, or leaves the object: nil.
    public mutating func nextMember() throws(JSONError) -> String? {
        guard try advanceToMember() else {
            levels.removeLast()
            return nil
        }
        return levels.last?.object.members.last?.key
    }

    public mutating func enterArray() throws(JSONError) {
        try beginValue()
        guard current == UInt8(ascii: "[") else { throw failure(.expected(.array)) }
        try open(closing: UInt8(ascii: "]"))
    }

    /// Moves before the next element and returns true, or leaves the array: false.
    public mutating func nextElement() throws(JSONError) -> Bool {
        guard try advanceToElement() else {
            levels.removeLast()
            return false
        }
        return true
    }
}

extension JSONScanner {
    /// Reads a value, and builds it or only checks it.
    private mutating func read(keeping: Bool) throws(JSONError) -> JSON {
        try beginValue()
        switch current {
        case UInt8(ascii: "\""):
            let text = try string(keeping: keeping)
            return keeping ? .string(text) : .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return try number()
        case UInt8(ascii: "{"):
            return .object(try object(keeping: keeping))
        case UInt8(ascii: "["):
            return .array(try array(keeping: keeping))
        case UInt8(ascii: "t"):
            try literal("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try literal("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        default:
            throw failure(.expected(.value))
        }
    }

    private mutating func object(keeping: Bool) throws(JSONError) -> JSONObject {
        try open(closing: UInt8(ascii: "}"))
        let level = levels.count - 1
        while try advanceToMember() {
            let value = try read(keeping: keeping)
            if keeping { levels[level].object.setLast(value) }
        }
        return levels.removeLast().object
    }

    private mutating func array(keeping: Bool) throws(JSONError) -> [JSON] {
        try open(closing: UInt8(ascii: "]"))
        var elements: [JSON] = []
        while try advanceToElement() {
            let value = try read(keeping: keeping)
            if keeping { elements.append(value) }
        }
        levels.removeLast()
        return elements
    }

    private mutating func beginValue() throws(JSONError) {
        precondition(valueIsDue, "a value is read where none is due")
        valueIsDue = false
        skipSpace()
        valueCount += 1
        guard valueCount <= limits.values else {
            throw failure(.tooManyValues(limit: limits.values))
        }
    }

    private mutating func open(closing: UInt8) throws(JSONError) {
        guard levels.count < limits.depth else { throw failure(.tooDeep(limit: limits.depth)) }
        position += 1
        levels.append(Level(closing: closing))
    }

    private mutating func advanceToElement() throws(JSONError) -> Bool {
        guard try advance(closing: UInt8(ascii: "]"), orElse: .commaOrBracket) else { return false }
        valueIsDue = true
        return true
    }

    private mutating func advanceToMember() throws(JSONError) -> Bool {
        guard try advance(closing: UInt8(ascii: "}"), orElse: .commaOrBrace) else { return false }
        guard current == UInt8(ascii: "\"") else { throw failure(.expected(.key)) }
        let start = position
        let key = try string(keeping: true)
        guard levels[levels.count - 1].object.append(key, .null) else {
            throw failure(.duplicateKey(key), at: start)
        }
        skipSpace()
        guard current == UInt8(ascii: ":") else { throw failure(.expected(.colon)) }
        position += 1
        valueIsDue = true
        return true
    }

    /// Moves past the comma, or past the end of the innermost array or object: false.
    private mutating func advance(
        closing: UInt8,
        orElse expectation: JSONError.Expectation
    ) throws(JSONError) -> Bool {
        let level = levels.count - 1
        precondition(level >= 0 && !valueIsDue, "a value is due, or nothing is open")
        precondition(levels[level].closing == closing, "members are in objects, elements in arrays")
        skipSpace()
        if current == closing {
            position += 1
            return false
        }
        if levels[level].isEmpty {
            levels[level].isEmpty = false
            return true
        }
        guard current == UInt8(ascii: ",") else { throw failure(.expected(expectation)) }
        position += 1
        skipSpace()
        return true
    }
}
