public import JobWire

/// The members of a kernel's input, read by name and type; what does not fit is refused with words
/// that name the place.
public struct KernelFields: Sendable {
    private let object: JSONObject
    private let input: KernelInput

    init(of json: JSON, in input: KernelInput, names: [String]) throws(KernelError) {
        guard case .object(let object) = json else {
            throw .badInput(
                field: nil,
                message: "The input must be an object, not \(json.kindName).",
                hint: KernelFields.known(names)
            )
        }
        for member in object.members where !names.contains(member.key) {
            throw .badInput(
                field: String(member.key.prefix(60)),  // A key may be of any length.
                message: "There is no such field.",
                hint: KernelFields.known(names)
            )
        }
        self.object = object
        self.input = input
    }

    public func has(_ name: String) -> Bool { object[name] != nil }

    /// The member as it is.
    ///
    /// - Throws: `.badInput` when it is missing, like all that follow.
    public func value(_ name: String) throws(KernelError) -> JSON {
        guard let value = object[name] else {
            throw .badInput(field: name, message: "It is missing.")
        }
        return value
    }

    public func integer(_ name: String, in range: ClosedRange<Int>) throws(KernelError) -> Int {
        let found = try value(name)
        let wanted = "an integer from \(range.lowerBound) to \(range.upperBound)"
        guard let number = found.integerValue else {
            throw .badInput(field: name, message: "It must be \(wanted), not \(found.kindName).")
        }
        guard range.contains(Int(number)) else {
            throw .badInput(field: name, message: "It must be \(wanted), not \(number).")
        }
        return Int(number)
    }

    public func string(_ name: String) throws(KernelError) -> String {
        let found = try value(name)
        guard let text = found.stringValue else {
            throw .badInput(field: name, message: "It must be a string, not \(found.kindName).")
        }
        return text
    }

    public func boolean(_ name: String) throws(KernelError) -> Bool {
        let found = try value(name)
        guard let answer = found.boolValue else {
            throw .badInput(
                field: name,
                message: "It must be true or false, not \(found.kindName)."
            )
        }
        return answer
    }

    public func array(_ name: String) throws(KernelError) -> [JSON] {
        let found = try value(name)
        guard let elements = found.arrayValue else {
            throw .badInput(field: name, message: "It must be an array, not \(found.kindName).")
        }
        return elements
    }

    /// The bytes of the binary frame that the member refers to.
    public func frame(_ name: String) throws(KernelError) -> [UInt8] {
        let found = try value(name)
        guard let bytes = try input.frame(found, at: name) else {
            throw .badInput(
                field: name,
                message: "It must refer to a binary frame, as in {\"$frame\": 2}."
            )
        }
        return bytes
    }

    private static func known(_ names: [String]) -> String {
        names.isEmpty ? "It takes no fields." : "It takes: \(names.joined(separator: ", "))."
    }
}

extension KernelInput {
    /// The members of the input, which must be an object of no other members than `names`: a typo
    /// must not become a default.
    ///
    /// - Throws: `.badInput`.
    public func fields(_ names: [String]) throws(KernelError) -> KernelFields {
        let json = try json()
        guard try frame(json) == nil else {
            throw .badInput(
                field: nil,
                message: "The input must be an object, not a binary frame.",
                hint: call?.first.flatMap { Self.problem(of: $0)?.summary }
            )
        }
        return try KernelFields(of: json, in: self, names: names)
    }
}
