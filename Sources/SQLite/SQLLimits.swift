internal import CSQLite

/// What one statement in the sandbox may cost. SQLite fails a statement that passes one.
///
/// Source of the meanings: <https://www.sqlite.org/limits.html>.
public struct SQLLimits: Equatable, Sendable {
    /// Bytes of one value or row. A single function call may take time in proportion to it, and no
    /// interrupt ends a call.
    public var length = 16 << 20
    /// Bytes of one statement.
    public var sqlLength = 1 << 20
    /// Columns of a table, index or result, terms of ORDER BY, values of an INSERT.
    public var columns = 2_000
    /// Depth of an expression: bounds the stack that the parser needs.
    public var expressionDepth = 200
    /// SELECTs joined by UNION and the like.
    public var compoundSelects = 100
    /// Instructions of the compiled statement. Beyond it the error is `isNoMemory`.
    public var instructions = 250_000
    public var functionArguments = 100
    /// Bytes of a LIKE or GLOB pattern. A match may take length × pattern steps of 2 to 8 ns, and
    /// no interrupt ends it: 3 s at these limits, 0.8 s when values have 4 MiB at most.
    public var patternLength = 50
    /// The highest `?NNN`.
    public var parameters = 32_766
    public var triggerDepth = 32

    public init() {}

    func apply(to handle: OpaquePointer) {
        let limits: [(Int32, Int)] = [
            (SQLITE_LIMIT_LENGTH, length),
            (SQLITE_LIMIT_SQL_LENGTH, sqlLength),
            (SQLITE_LIMIT_COLUMN, columns),
            (SQLITE_LIMIT_EXPR_DEPTH, expressionDepth),
            (SQLITE_LIMIT_COMPOUND_SELECT, compoundSelects),
            (SQLITE_LIMIT_VDBE_OP, instructions),
            (SQLITE_LIMIT_FUNCTION_ARG, functionArguments),
            (SQLITE_LIMIT_ATTACHED, 0),
            (SQLITE_LIMIT_LIKE_PATTERN_LENGTH, patternLength),
            (SQLITE_LIMIT_VARIABLE_NUMBER, parameters),
            (SQLITE_LIMIT_TRIGGER_DEPTH, triggerDepth),
            (SQLITE_LIMIT_WORKER_THREADS, 0),
        ]
        for (limit, value) in limits {
            // A negative number would only ask for the present one.
            sqlite3_limit(handle, limit, Int32(clamping: max(value, 0)))
        }
    }
}
