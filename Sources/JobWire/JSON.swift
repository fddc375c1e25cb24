/// One JSON value (RFC 8259), as requests, inputs and results use it.
///
/// Numbers keep their kind: `7` is an integer and exact, `7.0` and `7e0` are reals, and what fits
/// neither keeps its digits. Equality is Swift's: strings that are canonically equivalent are
/// equal, and so are `-0.0` and `0.0`.
public enum JSON: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// Always finite when it was parsed. `-0` is the real -0.0, for no integer can say it.
    case real(Double)
    /// The literal of an integer outside `Int64`, or of a real beyond the largest `Double`.
    case bigNumber(String)
    case string(String)
    case array([JSON])
    case object(JSONObject)

    /// Reads exactly one value; only white space may stand around it.
    ///
    /// The text is the part `range` of `bytes`, or all of them. Errors count bytes and lines from
    /// the start of `bytes` in either case.
    public init(
        parsing bytes: [UInt8],
        in range: Range<Int>? = nil,
        limits: JSONLimits = .standard
    ) throws(JSONError) {
        var scanner = try JSONScanner(bytes, in: range, limits: limits)
        self = try scanner.value()
        try scanner.finish()
    }

    /// The value as compact text, or as lines indented by two spaces. Reals must be finite.
    public func encoded(pretty: Bool = false) -> [UInt8] {
        var writer = JSONWriter(pretty: pretty)
        writer.value(self)
        return writer.finish()
    }
}

/// Each is nil when the value is of another kind.
extension JSON {
    public var isNull: Bool { self == .null }

    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// Exact integers only: `1.0` is none.
    public var integerValue: Int64? {
        if case .integer(let value) = self { value } else { nil }
    }

    /// A real, or an integer rounded to the nearest `Double`.
    public var realValue: Double? {
        switch self {
        case .real(let value): value
        case .integer(let value): Double(value)
        default: nil
        }
    }

    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    public var arrayValue: [JSON]? {
        if case .array(let value) = self { value } else { nil }
    }

    public var objectValue: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// The member of that name, when this is an object that has it.
    public subscript(key: String) -> JSON? { objectValue?[key] }

    /// The kind with its article, for sentences: "an integer", "a string".
    public var kindName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .real: "a real number"
        case .bigNumber: "a number out of range"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .real(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }

    /// The keys must differ.
    public init(dictionaryLiteral elements: (String, JSON)...) {
        var object = JSONObject()
        for (key, value) in elements {
            precondition(object.append(key, value), "the key \(key) stands twice in a literal")
        }
        self = .object(object)
    }
}
