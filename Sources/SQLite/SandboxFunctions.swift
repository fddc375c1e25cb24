internal import CSQLite
internal import Glibc
internal import Synchronization

/// The functions and modules that SQL in the sandbox may use, and how the others are taken away.
///
/// The authorizer alone would not do: it is not asked about what stands in a file's schema, such as
/// the expression of a generated column or a CHECK.
extension Sandbox {
    /// Everything that SQLite up to 3.51 has, but for those that load code, hand out pointers,
    /// write (`optimize`), look into pages of a file (`rtree…`), write to the log, or can run for
    /// hours in one call: json_patch and snippet, see `BoundedFunctions`.
    static let functions: Set<String> = Set(
        """
        abs changes char coalesce concat concat_ws format glob hex if ifnull iif instr
        last_insert_rowid length like likelihood likely lower ltrim match max min nullif
        octet_length printf quote random randomblob regexp replace round rtrim sign soundex
        sqlite_compileoption_get sqlite_compileoption_used sqlite_source_id sqlite_version substr
        substring subtype total_changes trim typeof unhex unicode unistr unistr_quote unlikely upper
        zeroblob

        avg count group_concat median percentile percentile_cont percentile_disc string_agg sum
        total cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank
        row_number

        current_date current_time current_timestamp date datetime julianday strftime time timediff
        unixepoch

        acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10
        log2 mod pi pow power radians sin sinh sqrt tan tanh trunc

        -> ->> json json_array json_array_insert json_array_length json_error_position json_extract
        json_group_array json_group_object json_insert json_object json_pretty json_quote
        json_remove json_replace json_set json_type json_valid jsonb jsonb_array
        jsonb_array_insert jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert
        jsonb_object jsonb_remove jsonb_replace jsonb_set

        bm25 fts5_source_id highlight matchinfo offsets

        sqlite_drop_column sqlite_rename_column sqlite_rename_quotefix sqlite_rename_table
        sqlite_rename_test
        """.split(whereSeparator: \.isWhitespace).map(String.init)
    )

    private struct Signature: Sendable {
        let name: String
        let arguments: Int32
    }

    /// What this SQLite has beyond the list, once it has been found out.
    private static let others = Mutex<[Signature]?>(nil)

    /// A failure is not kept: it may be that of one job whose memory or time is used up.
    private static func findOthers() throws(SQLiteError) -> [Signature] {
        if let found = others.withLock({ $0 }) { return found }
        let rows = try Connection().rows("SELECT DISTINCT name, narg FROM pragma_function_list")
        let found: [Signature] = rows.compactMap { row in
            guard case .text(let name)? = row.first, case .integer(let count)? = row.last,
                !functions.contains(name.lowercased())
            else { return nil }
            return Signature(name: name, arguments: Int32(clamping: count))
        }
        others.withLock { $0 = found }
        return found
    }

    /// Puts a function that refuses in the place of each that is not on the list.
    static func takeAwayFunctions(from handle: Handle) throws(SQLiteError) {
        for function in try findOthers() {
            let code = sqlite3_create_function_v2(
                handle.pointer,
                function.name,
                function.arguments,
                SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                nil,
                { FunctionCall($0, $1, $2)?.refuse() },
                nil,
                nil,
                nil
            )
            guard code == SQLITE_OK else { throw handle.error(code, in: "") }
        }
    }

    /// Removes all modules of virtual tables but the known ones: a file may name any.
    static func takeAwayModules(from handle: Handle) throws(SQLiteError) {
        let names = knownModules.map { strdup($0) }
        defer { for name in names { free(name) } }
        var list = names.map { UnsafePointer($0) } + [nil]
        let code = sqlite3_drop_modules(handle.pointer, &list)
        guard code == SQLITE_OK else { throw handle.error(code, in: "") }
    }
}
