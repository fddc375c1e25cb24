internal import CSQLite

/// A text of several statements, prepared one after the other.
///
/// Each is prepared only when it is asked for, because it may need what the ones before it made.
public struct Script {
    private let connection: Connection
    private let sql: String
    /// The text and a zero byte.
    private let text: [UInt8]
    private var end = 0
    /// Where the statement that was prepared last starts, in UTF-8 bytes. The offset of an error
    /// counts from here.
    public private(set) var position = 0

    init(_ sql: String, on connection: Connection) throws(SQLiteError) {
        self.connection = connection
        self.sql = sql
        text = Array(sql.utf8) + [0]
        // SQLite would stop there as if the text had ended.
        if let zero = text.firstIndex(of: 0), zero < text.count - 1 {
            throw SQLiteError(
                extendedCode: SQLITE_ERROR,
                message: "a zero byte in the SQL",
                sql: sql,
                offset: zero
            )
        }
    }

    /// Prepares the next statement, or returns nil when only blanks and comments are left.
    public mutating func next() throws(SQLiteError) -> Statement? {
        let isFirst = end == 0
        if isFirst, let known = connection.cached(sql) {
            end = text.count - 1  // Only whole texts of one statement are kept.
            return known
        }
        skipBlanks()
        position = end
        let (pointer, length) = try text[end...].withUnsafeBufferPointer {
            bytes throws(SQLiteError) in
            try connection.handle.prepare(bytes)
        }
        end = min(end + length, text.count - 1)
        guard let pointer else { return nil }

        let statement = Statement(pointer, of: connection.handle)
        skipBlanks()
        if isFirst, end == text.count - 1 { connection.keep(statement, as: sql) }
        return statement
    }

    private mutating func skipBlanks() {
        let blanks: [UInt8] = [0x20, 0x09, 0x0A, 0x0C, 0x0D, UInt8(ascii: ";")]
        while blanks.contains(text[end]) { end += 1 }
    }
}

extension Connection {
    /// The statements of a text, to be prepared and run one by one.
    public func script(_ sql: String) throws(SQLiteError) -> Script {
        try Script(sql, on: self)
    }

    /// Runs every statement of a text; rows are passed over.
    public func execute(script sql: String) throws(SQLiteError) {
        var script = try script(sql)
        while let statement = try script.next() { try statement.run() }
    }

    /// Prepares a text of exactly one statement, or finds it prepared.
    public func prepare(_ sql: String) throws(SQLiteError) -> Statement {
        if let known = cached(sql) { return known }

        var script = try script(sql)
        guard let statement = try script.next() else {
            throw SQLiteError(extendedCode: SQLITE_ERROR, message: "no statement", sql: sql)
        }
        guard try script.next() == nil else {
            throw SQLiteError(
                extendedCode: SQLITE_ERROR,
                message: "more than one statement",
                sql: sql,
                offset: script.position
            )
        }
        return statement
    }

    /// Runs one statement with these values. For where speed does not matter.
    public func run(_ sql: String, _ values: Value...) throws(SQLiteError) {
        let statement = try prepare(sql)
        try statement.bind(values)
        try statement.run()
    }

    /// The first row of a query, or nil when it has none. For where speed does not matter.
    public func row(_ sql: String, _ values: Value...) throws(SQLiteError) -> [Value]? {
        let statement = try prepare(sql)
        try statement.bind(values)
        return try statement.first { $0.values }
    }

    /// All rows of a query. For where speed does not matter.
    public func rows(_ sql: String, _ values: Value...) throws(SQLiteError) -> [[Value]] {
        let statement = try prepare(sql)
        try statement.bind(values)
        return try statement.all { $0.values }
    }

    /// Prepares one statement that is not kept.
    func afresh(_ sql: StaticString) throws(SQLiteError) -> Statement {
        let text = UnsafeBufferPointer(start: sql.utf8Start, count: sql.utf8CodeUnitCount + 1)
        guard let pointer = try handle.prepare(text).statement else {
            throw SQLiteError(extendedCode: SQLITE_ERROR, message: "no statement")
        }
        return Statement(pointer, of: handle)
    }

    func cached(_ sql: String) -> Statement? {
        cache.take(StatementCache.Key(sql: sql, isConfined: isConfined))
    }

    func keep(_ statement: Statement, as sql: String) {
        cache.keep(statement, as: StatementCache.Key(sql: sql, isConfined: isConfined))
    }

    private var isConfined: Bool { handle.sandbox != nil && !handle.isLifted }
}
