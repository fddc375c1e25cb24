internal import CSQLite

/// Reading the columns of the row a statement stands on.
///
/// A column that does not exist, and any column when there is no row, reads as NULL. A value of
/// another type is converted as SQLite's CAST does, so ask `type` first where that matters.
extension Statement {
    public func type(_ column: Int) -> ValueType {
        ValueType(code: sqlite3_column_type(pointer, Int32(column)))
    }

    public func isNull(_ column: Int) -> Bool {
        sqlite3_column_type(pointer, Int32(column)) == SQLITE_NULL
    }

    public func integer(_ column: Int) -> Int64 {
        sqlite3_column_int64(pointer, Int32(column))
    }

    public func real(_ column: Int) -> Double {
        sqlite3_column_double(pointer, Int32(column))
    }

    /// Bytes that are not UTF-8 are replaced by U+FFFD.
    public func text(_ column: Int) -> String {
        withBytes(column) { String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes of a blob, or the UTF-8 of anything else. NULL is empty.
    public func bytes(_ column: Int) -> [UInt8] {
        withBytes(column) { Array($0) }
    }

    /// The same bytes without a copy, valid inside `body` only. Empty when SQLite ran out of
    /// memory.
    public func withBytes<Result, Failure: Error>(
        _ column: Int,
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(rawBytes(column) ?? UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// The same bytes, valid until the next call on this column; nil when SQLite ran out of memory.
    func rawBytes(_ column: Int) -> UnsafeRawBufferPointer? {
        let column = Int32(column)
        // As a blob, text would come in the encoding of the database, which may be UTF-16. The
        // length must be asked for last: it is that of the latest conversion.
        let type = sqlite3_column_type(pointer, column)
        let start =
            type == SQLITE_BLOB
            ? sqlite3_column_blob(pointer, column)
            : UnsafeRawPointer(sqlite3_column_text(pointer, column))
        let count = Int(sqlite3_column_bytes(pointer, column))
        guard let start else {
            let isEmpty = type == SQLITE_NULL || type == SQLITE_BLOB && count == 0
            return isEmpty ? UnsafeRawBufferPointer(start: nil, count: 0) : nil
        }
        return UnsafeRawBufferPointer(start: start, count: count)
    }

    public func value(_ column: Int) -> Value {
        switch type(column) {
        case .null: .null
        case .integer: .integer(integer(column))
        case .real: .real(real(column))
        case .text: .text(text(column))
        case .blob: .blob(bytes(column))
        }
    }

    /// The whole row.
    public var values: [Value] { (0..<columnCount).map(value) }
}

/// A value as SQLite holds it, until the next step: asked for once, which spares the checks of each
/// `sqlite3_column_…`.
///
/// A connection without a mutex, as ours are, may read it like any other: see
/// <https://sqlite.org/c3ref/value.html>.
struct HeldValue {
    fileprivate let pointer: OpaquePointer?

    var type: ValueType { ValueType(code: sqlite3_value_type(pointer)) }
    var integer: Int64 { sqlite3_value_int64(pointer) }
    var real: Double { sqlite3_value_double(pointer) }

    /// In UTF-8; nil when SQLite ran out of memory.
    var text: UnsafeRawBufferPointer? {
        guard let start = sqlite3_value_text(pointer) else { return nil }
        // The length must be asked for last: it is that of the latest conversion.
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_value_bytes(pointer)))
    }

    /// Nil when SQLite ran out of memory.
    var blob: UnsafeRawBufferPointer? {
        let start = sqlite3_value_blob(pointer)
        let count = Int(sqlite3_value_bytes(pointer))
        return start != nil || count == 0 ? UnsafeRawBufferPointer(start: start, count: count) : nil
    }
}

extension Statement {
    func held(_ column: Int) -> HeldValue {
        HeldValue(pointer: sqlite3_column_value(pointer, Int32(column)))
    }
}

extension ValueType {
    fileprivate init(code: Int32) {
        self =
            switch code {
            case SQLITE_INTEGER: .integer
            case SQLITE_FLOAT: .real
            case SQLITE_TEXT: .text
            case SQLITE_BLOB: .blob
            default: .null
            }
    }
}
