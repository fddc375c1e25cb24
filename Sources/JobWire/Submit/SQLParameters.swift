internal import JobCore

/// The values that an SQL job may pass to its statements: a list or an object of scalars, of bytes
/// as `{"base64": …}` or `{"$frame": n}`, and of the reals that JSON lacks as `{"real": "inf"}`.
func checkParameters(_ value: JSON) throws(Refusal) {
    switch value {
    case .array(let elements):
        for (place, element) in elements.enumerated() {
            try checkParameter(element, "params[\(place)]")
        }
    case .object(let object):
        for member in object.members {
            let name = String(member.key.unicodeScalars.prefix(60))
            try checkParameter(member.value, "params.\(name)")
        }
    default:
        throw .wrongType("params", wants: "an array or an object", found: value)
    }
}

private func checkParameter(
    _ value: JSON,
    _ field: @autoclosure () -> String
) throws(Refusal) {
    switch value {
    case .null, .bool, .integer, .real, .string: return
    case .bigNumber:
        throw .outOfBounds(field(), "a number that 64 bits can hold; send others as text")
    case .array:
        throw .wrongType(field(), wants: "a scalar", found: value)
    case .object(let object):
        if object.frameNumber != nil || SQLValue(wrapped: object) != nil { return }
        throw .invalid(
            field(),
            "\(field()) is an object that stands for no value.",
            hint: "Use {\"base64\": \"…\"}, {\"real\": \"inf\" or \"-inf\"} or {\"$frame\": n}."
        )
    }
}
