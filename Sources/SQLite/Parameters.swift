internal import CSQLite

/// Binding: how values get into a statement. The statement must not be running.
extension Statement {
    public var parameterCount: Int { Int(sqlite3_bind_parameter_count(pointer)) }

    /// The name with its prefix (`:day`, `@day`, `$day`, `?7`), or nil for a plain `?`.
    public func parameterName(at index: Int) -> String? {
        sqlite3_bind_parameter_name(pointer, Int32(index)).map { String(cString: $0) }
    }

    /// Where a parameter is, by its name with its prefix; nil when there is none.
    public func parameterIndex(of name: String) -> Int? {
        let index = sqlite3_bind_parameter_index(pointer, name)
        return index == 0 ? nil : Int(index)
    }

    public func bind(integer value: Int64, at index: Int) throws(SQLiteError) {
        try check(sqlite3_bind_int64(pointer, Int32(index), value))
    }

    /// NaN becomes NULL: SQLite has no such number.
    public func bind(real value: Double, at index: Int) throws(SQLiteError) {
        try check(sqlite3_bind_double(pointer, Int32(index), value))
    }

    public func bind(text value: String, at index: Int) throws(SQLiteError) {
        var value = value
        try check(
            value.withUTF8 { csqlite_bind_text(pointer, Int32(index), start($0), UInt64($0.count)) }
        )
    }

    /// Text as it came, UTF-8 or not.
    public func bind(text bytes: [UInt8], at index: Int) throws(SQLiteError) {
        try check(
            bytes.withUnsafeBufferPointer {
                csqlite_bind_text(pointer, Int32(index), start($0), UInt64($0.count))
            }
        )
    }

    public func bind(blob bytes: [UInt8], at index: Int) throws(SQLiteError) {
        try check(
            bytes.withUnsafeBufferPointer {
                csqlite_bind_blob(pointer, Int32(index), start($0), UInt64($0.count))
            }
        )
    }

    public func bindNull(at index: Int) throws(SQLiteError) {
        try check(sqlite3_bind_null(pointer, Int32(index)))
    }

    public func bind(value: Value, at index: Int) throws(SQLiteError) {
        switch value {
        case .null: try bindNull(at: index)
        case .integer(let number): try bind(integer: number, at: index)
        case .real(let number): try bind(real: number, at: index)
        case .text(let text): try bind(text: text, at: index)
        case .blob(let bytes): try bind(blob: bytes, at: index)
        }
    }

    public func bind(value: Value, to name: String) throws(SQLiteError) {
        guard let index = parameterIndex(of: name) else {
            throw SQLiteError(
                extendedCode: SQLITE_RANGE,
                message: "no parameter is named \(name)",
                sql: sql
            )
        }
        try bind(value: value, at: index)
    }

    /// Binds the values to the first parameters, in order.
    public func bind(_ values: [Value]) throws(SQLiteError) {
        for (place, value) in values.enumerated() {
            try bind(value: value, at: place + 1)
        }
    }

    /// Makes every parameter NULL.
    public func clearBindings() {
        sqlite3_clear_bindings(pointer)
    }

    /// Binds text without copying it, for as long as `body` runs.
    ///
    /// Afterwards the statement is reset and the parameter is NULL.
    public func lending<Result>(
        text bytes: [UInt8],
        at index: Int,
        _ body: () throws(SQLiteError) -> Result
    ) throws(SQLiteError) -> Result {
        try lend(bytes, at: index, by: csqlite_lend_text, body)
    }

    /// Binds a blob without copying it, for as long as `body` runs.
    ///
    /// Afterwards the statement is reset and the parameter is NULL.
    public func lending<Result>(
        blob bytes: [UInt8],
        at index: Int,
        _ body: () throws(SQLiteError) -> Result
    ) throws(SQLiteError) -> Result {
        try lend(bytes, at: index, by: csqlite_lend_blob, body)
    }

    private func lend<Result>(
        _ bytes: [UInt8],
        at index: Int,
        by bind: (OpaquePointer, Int32, UnsafeRawPointer, UInt64) -> Int32,
        _ body: () throws(SQLiteError) -> Result
    ) throws(SQLiteError) -> Result {
        try bytes.withUnsafeBufferPointer { lent throws(SQLiteError) in
            try check(bind(pointer, Int32(index), start(lent), UInt64(lent.count)))
            defer {
                sqlite3_reset(pointer)
                sqlite3_bind_null(pointer, Int32(index))
            }
            return try body()
        }
    }

    private func check(_ code: Int32) throws(SQLiteError) {
        guard code == SQLITE_OK else { throw handle.error(code, in: sql) }
    }
}

/// Where the bytes start. SQLite takes a null pointer for NULL, so empty text and an empty blob
/// need an address too.
private func start(_ bytes: UnsafeBufferPointer<UInt8>) -> UnsafeRawPointer {
    bytes.baseAddress.map { UnsafeRawPointer($0) } ?? somewhere
}

/// Any address but null; nothing is read there.
nonisolated(unsafe) private let somewhere: UnsafeRawPointer = UnsafeRawPointer(
    UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1)
)
