internal import JobCore
internal import SQLite

/// A list of all statements of one kind, in one place, each with its text.
protocol StatementList: CaseIterable, RawRepresentable<Int> {
    var sql: String { get }
}

/// The statements of a list, prepared once, so that running one neither parses nor looks up.
struct Prepared<List: StatementList> {
    private let statements: [Statement]

    init(on connection: Connection) throws(SQLiteError) {
        var statements: [Statement] = []
        for item in List.allCases {
            statements.append(try connection.prepare(item.sql))
        }
        self.statements = statements
    }

    subscript(_ item: List) -> Statement { statements[item.rawValue] }

    /// The statement with these numbers as its parameters.
    func with(_ item: List, _ first: Int64, _ others: Int64...) throws(SQLiteError) -> Statement {
        let statement = self[item]
        try statement.bind(integer: first, at: 1)
        for (place, value) in others.enumerated() {
            try statement.bind(integer: value, at: place + 2)
        }
        return statement
    }
}

/// Fills a statement's parameters in the order in which its text first names them.
struct Parameters {
    let statement: Statement
    private var index = 0

    init(of statement: Statement) { self.statement = statement }

    mutating func add(_ value: Int64?) throws(SQLiteError) {
        index += 1
        if let value {
            try statement.bind(integer: value, at: index)
        } else {
            try statement.bindNull(at: index)
        }
    }

    mutating func add(_ value: String?) throws(SQLiteError) {
        index += 1
        if let value {
            try statement.bind(text: value, at: index)
        } else {
            try statement.bindNull(at: index)
        }
    }

    /// Runs the statement with these bytes as its last parameter, which are not copied.
    func run(lendingText bytes: [UInt8]) throws(SQLiteError) {
        try statement.lending(text: bytes, at: index + 1) { () throws(SQLiteError) in
            try statement.run()
        }
    }

    func run(lendingBlob bytes: [UInt8]) throws(SQLiteError) {
        try statement.lending(blob: bytes, at: index + 1) { () throws(SQLiteError) in
            try statement.run()
        }
    }

    mutating func add(_ value: Int) throws(SQLiteError) { try add(Int64(value)) }
    mutating func add(_ value: Bool) throws(SQLiteError) { try add(value ? 1 : Int64(0)) }
    mutating func add(_ moment: Timestamp?) throws(SQLiteError) { try add(moment?.rawValue) }
    mutating func add(_ id: JobID?) throws(SQLiteError) { try add(id?.rawValue) }
}

/// Reads the columns of the row that a statement stands on, from the first to the last.
struct Row {
    let statement: Statement
    private var column = -1
    /// False when one of the values so far was of another type than the table allows.
    private(set) var isSound = true

    init(of statement: Statement) { self.statement = statement }

    /// Throws when one of the values so far was of another type than the table allows: SQLite
    /// looks at that only when it writes.
    func check() throws(SQLiteError) {
        guard isSound else { throw .damage("a value of the wrong type") }
    }

    /// Steps on, and notes whether what stands there may.
    ///
    /// - Returns: Whether it is of the first type.
    @discardableResult
    private mutating func next(_ type: ValueType, or other: ValueType? = nil) -> Bool {
        column += 1
        let found = statement.type(column)
        isSound = isSound && (found == type || found == other)
        return found == type
    }

    mutating func integer() -> Int64 {
        next(.integer)
        return statement.integer(column)
    }

    mutating func optionalInteger() -> Int64? {
        next(.integer, or: .null) ? statement.integer(column) : nil
    }

    mutating func text() -> String {
        next(.text)
        return statement.text(column)
    }

    mutating func optionalText() -> String? {
        next(.text, or: .null) ? statement.text(column) : nil
    }

    mutating func bytes() -> [UInt8] {
        next(.text, or: .blob)
        return statement.bytes(column)
    }

    mutating func int() -> Int { Int(clamping: integer()) }
    mutating func flag() -> Bool { integer() != 0 }
    mutating func id() -> JobID { JobID(rawValue: integer()) }
    mutating func moment() -> Timestamp { Timestamp(rawValue: integer()) }
    mutating func optionalMoment() -> Timestamp? { optionalInteger().map(Timestamp.init) }

    /// A word of ours, or an error for one that nobody of ours has written.
    mutating func word<Word: RawRepresentable<String>>(
        _ type: Word.Type = Word.self
    ) throws(SQLiteError) -> Word {
        let text = text()
        guard let word = Word(rawValue: text) else {
            throw .damage("\(text) is not a \(Word.self)")
        }
        return word
    }
}

extension SQLiteError {
    /// SQLITE_CORRUPT with details that SQLite has not: one row is damaged, as far as we know.
    private static let damageCode: Int32 = 11 | 0x7F00

    /// What was found cannot have been written by us.
    static func damage(_ what: String) -> SQLiteError {
        SQLiteError(extendedCode: damageCode, message: what)
    }

    /// True when SQLite could read what makes no sense: others may be sound.
    var isDamage: Bool { extendedCode == Self.damageCode }
}
