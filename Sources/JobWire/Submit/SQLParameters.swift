internal import JobCore

/// The values that an SQL job may pass to its statements: a list or an object of scalars, of bytes
/// as `{"base64": …}` or `{"$frame": n}`, of the reals that JSON lacks as `{"real": "inf"}`, and of
/// what other jobs have made as `{"$result": …}`.
func checkParameters(_ value: JSON) throws(Refusal) {
    switch value {
    case .array(let elements):
        for (place, element) in elements.enumerated() where !element.takesResult {
            try checkParameter(element, "params[\(place)]")
        }
    case .object(let object):
        for member in object.members where !member.value.takesResult {
            let name = String(member.key.unicodeScalars.prefix(60))
            try checkParameter(member.value, "params.\(name)")
        }
    default:
        throw .wrongType("params", wants: "an array or an object", found: value)
    }
}

/// The rows of values that a statement is to run with: lists of the same length, or objects.
///
/// - Returns: How many they are.
func checkEach(_ value: JSON, _ limits: Limits) throws(Refusal) -> Int {
    if case .string = value {
        var refusal = Refusal.wrongType("each", wants: "an array of rows", found: value)
        refusal.hint = "Only files of jobs name a CSV; in a message it is a binary frame."
        throw refusal
    }
    let rows = try value.list("each", count: 0...limits.eachRows)
    let width = rows.first?.arrayValue?.count
    for (place, row) in rows.enumerated() {
        switch row {
        case .array(let values) where values.count == width:
            for (column, value) in values.enumerated() {
                try checkParameter(value, "each[\(place)][\(column)]")
            }
        case .array(let values):
            guard let width else {
                throw .wrongType("each[\(place)]", wants: "an object, as row 1 is", found: row)
            }
            let words = "Row \(place + 1) has \(values.count) values, and row 1 has \(width)."
            throw .invalid("each[\(place)]", words)
        case .object(let object) where width == nil:
            for member in object.members {
                let name = String(member.key.unicodeScalars.prefix(60))
                try checkParameter(member.value, "each[\(place)].\(name)")
            }
        default:
            let wants = width == nil ? "an array or an object" : "an array, as row 1 is"
            throw .wrongType("each[\(place)]", wants: wants, found: row)
        }
    }
    return rows.count
}

/// The same of rows in a CSV.
func checkEach(csv: [UInt8], _ limits: Limits) throws(Refusal) -> Int {
    guard csv.count <= limits.eachBytes else {
        throw .tooLarge("each", "The CSV has more than \(limits.eachBytes) bytes.")
    }
    do throws(CSVError) {
        var reader = try CSVReader(csv)
        while try reader.skip() {
            if reader.rows > limits.eachRows { break }
        }
        guard reader.rows > limits.eachRows else { return reader.rows }
    } catch {
        throw Refusal(422, "malformed_csv", error.summary, hint: error.hint, field: "each")
    }
    throw .outOfBounds("each", "a CSV of at most \(limits.eachRows) rows")
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

extension JSON {
    /// It is looked at with the references in other work. Rows take no results.
    fileprivate var takesResult: Bool { objectValue?[ResultReference.key] != nil }
}
