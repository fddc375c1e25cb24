internal import CSQLite

/// Writes the rows of a statement into one buffer, straight from SQLite, with no object per value.
///
/// Values keep their type. Integers are exact; reals are the shortest digits that read back the
/// same, always with a point or an exponent; blobs, and text that is not UTF-8, become base64.
///
/// | | json, jsonl | csv |
/// |---|---|---|
/// | NULL | `null` | nothing |
/// | empty text | `""` | `""` |
/// | ±infinity | `{"real":"inf"}`, `{"real":"-inf"}` | `inf`, `-inf` |
/// | blob, other text | `{"base64":"…"}` | the base64 |
public struct RowEncoder {
    public enum Format: Sendable {
        /// `{"columns":["a"],"rows":[[1],[2]]}`
        case json
        /// An object per row and line. Columns of the same name become `a`, `a_2` and so on.
        case jsonl
        /// RFC 4180 with a header.
        case csv
    }

    /// What a result may cost.
    public struct Limits: Equatable, Sendable {
        public var rows: Int
        /// Of the encoded result.
        public var bytes: Int

        public init(rows: Int = 1_000_000, bytes: Int = 64 << 20) {
            self.rows = rows
            self.bytes = bytes
        }
    }

    public enum Failure: Error, Equatable, Sendable {
        /// There are more rows than the limit, which is told.
        case tooManyRows(Int)
        case tooManyBytes(Int)
        case sqlite(SQLiteError)
    }

    public private(set) var bytes: [UInt8] = []
    /// Rows written.
    public private(set) var rows = 0

    private let format: Format
    private let limits: Limits
    /// What stands before the value of each column: in JSON lines its name.
    private let leads: [[UInt8]]

    /// Writes what comes before the first row. The statement must have columns.
    public init(
        _ statement: Statement,
        as format: Format,
        limits: Limits = Limits()
    ) throws(Failure) {
        self.format = format
        self.limits = limits
        let names = statement.columnNames
        switch format {
        case .json:
            bytes = Array("{\"columns\":[".utf8)
            for (place, name) in names.enumerated() {
                if place > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes.appendJSON(name)
            }
            bytes += "],\"rows\":[".utf8
            leads = names.indices.map { $0 == 0 ? [] : [UInt8(ascii: ",")] }
        case .jsonl:
            leads = unique(names).enumerated().map { place, name in
                var lead: [UInt8] = [UInt8(ascii: place == 0 ? "{" : ",")]
                lead.appendJSON(name)
                return lead + [UInt8(ascii: ":")]
            }
        case .csv:
            leads = names.indices.map { $0 == 0 ? [] : [UInt8(ascii: ",")] }
            for (lead, name) in zip(leads, names) {
                bytes += lead
                var name = name
                name.withUTF8 { bytes.appendCSV(UnsafeRawBufferPointer($0)) }
            }
            bytes += "\r\n".utf8
        }
        try checkSize()
    }

    /// Runs the statement to its end and writes every row. When a limit ends it the statement is
    /// reset, and what was written is not a result.
    public mutating func appendRows(of statement: Statement) throws(Failure) {
        defer { statement.reset() }
        while try step(statement) { try appendRow(of: statement) }
    }

    /// Writes the row on which the statement stands.
    public mutating func appendRow(of statement: Statement) throws(Failure) {
        guard rows < limits.rows else { throw .tooManyRows(limits.rows) }

        if format == .json {
            if rows > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(UInt8(ascii: "["))
        }
        for column in leads.indices {
            if format == .jsonl {
                bytes += leads[column]
            } else if column > 0 {
                bytes.append(UInt8(ascii: ","))
            }
            try appendValue(column, of: statement)
        }
        switch format {
        case .json: bytes.append(UInt8(ascii: "]"))
        case .jsonl: bytes += "}\n".utf8
        case .csv: bytes += "\r\n".utf8
        }
        rows += 1
        try checkSize()
    }

    /// Writes what comes after the last row. In JSON the numbers, where given, become the members
    /// `changes` and `last_insert_rowid`.
    public mutating func finish(changes: Int? = nil, lastInsertRowID: Int64? = nil)
        throws(Failure)
    {
        guard format == .json else { return }

        bytes.append(UInt8(ascii: "]"))
        if let changes {
            bytes += ",\"changes\":".utf8
            bytes.append(decimal: Int64(changes))
        }
        if let lastInsertRowID {
            bytes += ",\"last_insert_rowid\":".utf8
            bytes.append(decimal: lastInsertRowID)
        }
        bytes.append(UInt8(ascii: "}"))
        try checkSize()
    }

    private func step(_ statement: Statement) throws(Failure) -> Bool {
        do { return try statement.step() } catch { throw .sqlite(error) }
    }

    private mutating func appendValue(_ column: Int, of statement: Statement) throws(Failure) {
        let value = statement.held(column)
        let type = value.type
        switch type {
        case .null: if format != .csv { bytes += "null".utf8 }
        case .integer: bytes.append(decimal: value.integer)
        case .real: bytes.append(real: value.real, asJSON: format != .csv)
        case .text, .blob:
            guard let raw = type == .text ? value.text : value.blob else {
                throw .sqlite(statement.handle.error(SQLITE_NOMEM, in: statement.sql))
            }
            try append(raw, isText: type == .text)
        }
    }

    private mutating func append(_ raw: UnsafeRawBufferPointer, isText: Bool) throws(Failure) {
        // Before it is written: escaped it takes no less.
        try checkSize(adding: raw.count)
        switch format {
        case .csv where isText && raw.isUTF8: bytes.appendCSV(raw)
        case .csv: bytes.appendCSV(base64: raw)
        case _ where isText && raw.isPlain: bytes.appendJSON(plain: raw)
        case _ where isText && raw.isUTF8: bytes.appendJSON(raw)
        default: bytes.appendJSON(base64: raw)
        }
        try checkSize()
    }

    private func checkSize(adding more: Int = 0) throws(Failure) {
        guard bytes.count + more <= limits.bytes else { throw .tooManyBytes(limits.bytes) }
    }
}

/// The names, each with the first number that makes it differ from all before it.
private func unique(_ names: [String]) -> [String] {
    var taken = Set<String>()
    var next: [String: Int] = [:]
    return names.map { name in
        var candidate = name
        while !taken.insert(candidate).inserted {
            let number = next[name, default: 2]
            next[name] = number + 1
            candidate = "\(name)_\(number)"
        }
        return candidate
    }
}
