internal import JobCore

/// The refusals that reading a request can end in. Codes are stable; sentences name the field as
/// the client wrote it.
extension Refusal {
    init(_ error: JSONError) {
        switch error.problem {
        case .tooDeep, .tooManyValues, .numberTooLong: self = .tooLarge(nil, error.summary)
        default: self.init(400, "malformed_json", error.summary, hint: error.hint)
        }
    }

    static func wrongType(_ field: String, wants: String, found: JSON) -> Refusal {
        let name = field.isEmpty ? "This" : field
        return Refusal(
            422,
            "wrong_type",
            "\(name) must be \(wants), not \(found.kindName).",
            field: field
        )
    }

    /// The bounds are told as the end of "must be …".
    static func outOfBounds(_ field: String, _ bounds: String) -> Refusal {
        Refusal(422, "out_of_bounds", "\(field) must be \(bounds).", field: field)
    }

    static func missing(_ field: String, hint: String? = nil) -> Refusal {
        Refusal(422, "missing_field", "\(field) is missing.", hint: hint, field: field)
    }

    static func invalid(_ field: String, _ message: String, hint: String? = nil) -> Refusal {
        Refusal(422, "invalid_value", message, hint: hint, field: field)
    }

    static func unknownField(_ name: String, hint: String?) -> Refusal {
        Refusal(
            422,
            "unknown_field",
            "A job has no field \(quoted(name)).",
            hint: hint,
            field: String(name.unicodeScalars.prefix(60))
        )
    }

    static func conflict(_ field: String, _ message: String) -> Refusal {
        Refusal(422, "conflicting_fields", message, field: field)
    }

    static func tooLarge(_ field: String?, _ message: String) -> Refusal {
        Refusal(413, "too_large", message, field: field)
    }

    static func notImplemented(_ field: String?, _ message: String) -> Refusal {
        Refusal(501, "not_implemented", message, field: field)
    }

    /// The same, said of a part of something larger: `priority` becomes `jobs[3].priority`.
    func inside(_ path: String) -> Refusal {
        guard let field else { return self }
        let names = [path, field].filter { !$0.isEmpty }
        var outer = self
        outer.field = names.isEmpty ? nil : names.joined(separator: ".")
        return outer
    }
}
