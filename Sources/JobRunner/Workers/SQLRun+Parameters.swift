internal import JobCore
internal import JobWire
internal import SQLite

/// The values that a job gives to its statements.
extension SQLRun {
    func bind(_ statement: Statement, isOnly: Bool) throws(Problem) {
        switch work.params {
        case .none:
            guard statement.parameterCount == 0 else {
                throw .parameters("The statement has parameters and the job gives no values.")
            }
        case .list(let values):
            guard isOnly, statement.parameterCount == values.count else {
                throw .parameters(
                    "There are \(values.count) values for \(statement.parameterCount) parameters."
                )
            }
            for (place, value) in values.enumerated() {
                try bind(value, at: place + 1, of: statement)
            }
        case .named(let values):
            for place in 0..<statement.parameterCount {
                let name = statement.parameterName(at: place + 1) ?? "?\(place + 1)"
                guard let value = values.first(where: { $0.name == name.dropFirst() })?.value else {
                    throw .parameters("No value is given for the parameter \(name).")
                }
                try bind(value, at: place + 1, of: statement)
            }
        }
    }

    private func bind(_ value: SQLValue, at place: Int, of statement: Statement) throws(Problem) {
        do throws(SQLiteError) {
            switch value {
            case .null: try statement.bindNull(at: place)
            case .integer(let value): try statement.bind(integer: value, at: place)
            case .real(let value): try statement.bind(real: value, at: place)
            case .text(let value): try statement.bind(text: value, at: place)
            case .blob(let value): try statement.bind(blob: value, at: place)
            }
        } catch {
            throw .sqlite(error, at: 0)
        }
    }
}
