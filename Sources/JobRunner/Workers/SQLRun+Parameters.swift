internal import JobCore
internal import JobWire
internal import SQLite

/// The values that a job gives to its statements.
extension SQLRun {
    /// Why these are not the values that the statement asks for; nil when they are. Positional ones
    /// are for the only statement of a job.
    func misfit(
        _ values: StatementValues,
        of statement: Statement,
        isOnly: Bool = true
    ) -> String? {
        let places = statement.parameterCount
        switch values {
        case .none:
            return places == 0
                ? nil : "The statement has parameters and the job gives no values."
        case .list(let values):
            return isOnly && values.count == places
                ? nil : "There are \(values.count) values for \(places) parameters."
        case .named(let values):
            let values = NamedValues(values)
            for place in 0..<places {
                let name = name(of: place, in: statement)
                if values[name] == nil { return "No value is given for the parameter \(name)." }
            }
            return nil
        }
    }

    /// Binds values that fit.
    func bind(_ values: StatementValues, to statement: Statement) throws(Problem) {
        switch values {
        case .none: return
        case .list(let values):
            for (place, value) in values.enumerated() {
                try bind(value, at: place + 1, of: statement)
            }
        case .named(let values):
            let values = NamedValues(values)
            for place in 0..<statement.parameterCount {
                guard let value = values[name(of: place, in: statement)] else { continue }
                try bind(value, at: place + 1, of: statement)
            }
        }
    }

    /// With its prefix; counted from 0.
    private func name(of place: Int, in statement: Statement) -> String {
        statement.parameterName(at: place + 1) ?? "?\(place + 1)"
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

/// Values by the names of parameters, with their prefix. A few are found quickest by walking; many
/// have an index, for nothing interrupts the search.
private struct NamedValues {
    private static let walked = 16

    private let list: [StatementValues.Named]
    private let index: [String: SQLValue]?

    init(_ list: [StatementValues.Named]) {
        self.list = list
        guard list.count > Self.walked else {
            index = nil
            return
        }
        index = Dictionary(list.map { ($0.name, $0.value) }) { first, _ in first }
    }

    subscript(name: String) -> SQLValue? {
        let name = name.dropFirst()
        if let index { return index[String(name)] }
        return list.first { $0.name == name }?.value
    }
}
