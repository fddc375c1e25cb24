internal import JobCore

/// What a statement is given for its parameters.
public enum StatementValues: Equatable, Sendable {
    case none
    case list([SQLValue])
    /// In the order in which they were sent.
    case named([Named])

    public struct Named: Equatable, Sendable {
        public var name: String
        public var value: SQLValue

        public init(_ name: String, _ value: SQLValue) {
            self.name = name
            self.value = value
        }
    }
}

extension StatementValues {
    init(_ value: JSON?, _ frames: [Spec.Frame]) throws(FrameError) {
        switch value {
        case nil: self = .none
        case .array(let elements):
            var values: [SQLValue] = []
            for element in elements { values.append(try SQLValue(element, frames)) }
            self = .list(values)
        case .object(let object):
            var values: [Named] = []
            for member in object.members {
                values.append(Named(member.key, try SQLValue(member.value, frames)))
            }
            self = .named(values)
        default: throw FrameError("params is neither an array nor an object")
        }
    }
}

extension SQLValue {
    /// SQL has no truth values: they become 1 and 0.
    fileprivate init(_ value: JSON, _ frames: [Spec.Frame]) throws(FrameError) {
        switch value {
        case .null: self = .null
        case .bool(let bool): self = .integer(bool ? 1 : 0)
        case .integer(let integer): self = .integer(integer)
        case .real(let real): self = .real(real)
        case .string(let text): self = .text(text)
        case .object(let object):
            if let number = object.frameNumber {
                guard let frame = frames.first(where: { $0.number == number }) else {
                    throw FrameError("there is no frame \(number)")
                }
                self = .blob(frame.bytes)
                return
            }
            guard let value = SQLValue(wrapped: object) else { fallthrough }
            self = value
        case .bigNumber, .array: throw FrameError("a parameter is no scalar")
        }
    }
}
