internal import JobWire

/// The JSON result of an SQL job, for people.
struct ResultTable {
    let table: Table
    /// "2 rows, 3 changes": what the table does not show.
    let summary: String

    /// Nil when the bytes are no such result.
    init?(_ bytes: [UInt8]) {
        guard let result = try? JSON(parsing: bytes),
            let names = result["columns"]?.arrayValue?.map({ $0.stringValue ?? "" }),
            let rows = result["rows"]?.arrayValue?.map({ $0.arrayValue ?? [] })
        else { return nil }

        let columns = names.enumerated().map { place, name in
            let cells = rows.compactMap { $0.indices.contains(place) ? $0[place] : nil }
            return Table.Column(name, alignsRight: !cells.isEmpty && cells.allSatisfy(\.isNumeric))
        }
        var table = Table(columns)
        for row in rows { table.add(row.map(Self.cell)) }
        self.table = table
        let changes = result["changes"]?.integerValue ?? 0
        summary =
            Words.count(Int64(rows.count), "row")
            + (changes == 0 ? "" : ", " + Words.count(changes, "change"))
    }

    private static func cell(_ value: JSON) -> Table.Cell {
        switch value {
        case .string(let text): .init(text)
        case .null: .init("NULL", .dim)
        default: .init(String(decoding: value.encoded(), as: UTF8.self))
        }
    }
}

extension JSON {
    /// A number, or no value among numbers.
    fileprivate var isNumeric: Bool {
        switch self {
        case .integer, .real, .bigNumber, .null: true
        default: false
        }
    }
}
