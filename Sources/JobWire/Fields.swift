internal import JobCore

/// Reads one field's value as the type that it must have, within its bounds, or refuses it by name.
extension JSON {
    func integer(
        _ field: @autoclosure () -> String,
        in bounds: ClosedRange<Int64>
    ) throws(Refusal) -> Int64 {
        guard case .integer(let value) = self else {
            if case .bigNumber = self { throw .outOfBounds(field(), words(for: bounds)) }
            throw .wrongType(field(), wants: "an integer", found: self)
        }
        guard bounds.contains(value) else { throw .outOfBounds(field(), words(for: bounds)) }
        return value
    }

    func integer(_ field: String, in bounds: ClosedRange<Int>) throws(Refusal) -> Int {
        Int(try integer(field, in: Int64(bounds.lowerBound)...Int64(bounds.upperBound)))
    }

    func text(
        _ field: @autoclosure () -> String,
        bytes bounds: ClosedRange<Int> = 1...Limits.nameBytes
    ) throws(Refusal) -> String {
        guard case .string(let text) = self else {
            throw .wrongType(field(), wants: "a string", found: self)
        }
        guard bounds.contains(text.utf8.count) else {
            throw .outOfBounds(
                field(),
                "\(bounds.lowerBound) to \(bounds.upperBound) bytes long"
            )
        }
        return text
    }

    /// One of a few words.
    func word<Word>(_ field: String, of type: Word.Type = Word.self) throws(Refusal) -> Word
    where Word: RawRepresentable<String> & CaseIterable {
        guard case .string(let text) = self else {
            throw .wrongType(field, wants: "a string", found: self)
        }
        guard let word = Word(rawValue: text) else {
            let known = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw .invalid(field, "\(field) may not be \(quoted(text)).", hint: "Use \(known).")
        }
        return word
    }

    func queueName(_ field: String) throws(Refusal) -> QueueName {
        let text = try text(field)
        guard let name = QueueName(rawValue: text) else {
            throw .invalid(
                field,
                "\(field) may not be \(quoted(text)).",
                hint: "Use letters, digits, '.', '_' and '-'."
            )
        }
        return name
    }

    func list(_ field: String, count bounds: ClosedRange<Int>) throws(Refusal) -> [JSON] {
        guard case .array(let elements) = self else {
            throw .wrongType(field, wants: "an array", found: self)
        }
        guard bounds.contains(elements.count) else {
            throw .outOfBounds(
                field,
                "an array of \(bounds.lowerBound) to \(bounds.upperBound) elements"
            )
        }
        return elements
    }

    func id(_ field: @autoclosure () -> String) throws(Refusal) -> JobID {
        JobID(rawValue: try integer(field(), in: 1...Int64.max))
    }
}

private func words(for bounds: ClosedRange<Int64>) -> String {
    bounds.upperBound == .max
        ? "an integer of at least \(bounds.lowerBound)"
        : "an integer from \(bounds.lowerBound) to \(bounds.upperBound)"
}
