internal import CSQLite

/// What the SQL of people we do not trust may do on a connection.
///
/// Everything that is not named here is refused: the rules are lists of what is allowed. They hold
/// while a statement is prepared; `SQLLimits` bounds what it costs while it runs.
public struct Sandbox: Sendable {
    public enum Access: Sendable { case read, write }

    public let access: Access
    public let limits: SQLLimits
    /// Tables, views, indexes and triggers whose name starts so are ours: nobody in the sandbox
    /// reads, changes or makes one. Compared without regard to ASCII case.
    ///
    /// The authorizer is not told all names: see `Connection.checkReservedNames`. A temporary table
    /// may bear one of ours until then, so SQL of ours names the database of each table.
    public let reservedPrefix: String?

    /// True lets the file's own views and triggers use virtual tables, as those do that keep an
    /// FTS5 index in step. For files whose every writer is trusted.
    public let trustsSchema: Bool

    public init(
        access: Access,
        limits: SQLLimits = SQLLimits(),
        reservedPrefix: String? = nil,
        trustsSchema: Bool = false
    ) {
        self.access = access
        self.limits = limits
        self.reservedPrefix = reservedPrefix?.lowercased()
        self.trustsSchema = trustsSchema
    }

    /// One question of SQLite's authorizer. What the texts are depends on the action, see
    /// <https://www.sqlite.org/c3ref/c_alter_table.html>.
    struct Request {
        let action: Int32
        let first: String?
        let second: String?
    }

    /// Why the request is refused, as a sentence for the person who wrote the SQL; nil when it is
    /// not.
    func refusal(of request: Request) -> String? {
        if let name = Self.refusedAlways[request.action] {
            return "\(name) is not allowed in a SQL job"
        }
        if let name = reservedName(in: request) { return "\(name) is reserved" }

        switch request.action {
        case SQLITE_SELECT, SQLITE_RECURSIVE: return nil
        case SQLITE_READ: return refusal(ofReading: request.first ?? "")
        case SQLITE_FUNCTION: return refusal(ofCalling: request.second ?? "")
        case SQLITE_PRAGMA: return refusal(ofPragma: request.first ?? "", argument: request.second)
        // What a virtual table declares about itself when it is first used looks so. A real update
        // of the schema fails by itself.
        case SQLITE_UPDATE where Self.schemaTables.contains(request.first ?? ""): return nil
        case _ where access == .read: return "this SQL job may only read"
        case SQLITE_CREATE_VTABLE: return refusal(ofModule: request.second ?? "")
        case _ where Self.writing.contains(request.action): return nil
        default: return "action \(request.action) is not allowed in a SQL job"
        }
    }

    private func refusal(ofReading table: String) -> String? {
        let table = table.lowercased()
        if table.hasPrefix(Self.pragmaPrefix) {
            return refusal(
                ofPragma: String(table.dropFirst(Self.pragmaPrefix.count)),
                argument: nil
            )
        }
        return Self.refusedTables.contains(table)
            ? "the table \(table) is not allowed in a SQL job" : nil
    }

    private func refusal(ofCalling function: String) -> String? {
        Self.functions.contains(function.lowercased())
            ? nil : "the function \(function)() is not allowed in a SQL job"
    }

    private func refusal(ofPragma name: String, argument: String?) -> String? {
        let pragma = name.lowercased()
        if Self.inquiries.contains(pragma) { return nil }
        guard Self.readableSettings.contains(pragma) else {
            return "PRAGMA \(name) is not allowed in a SQL job"
        }
        return argument == nil ? nil : "PRAGMA \(name) may only be read in a SQL job"
    }

    private func refusal(ofModule module: String) -> String? {
        Self.modules.contains(module.lowercased())
            ? nil : "virtual tables of module \(module) are not allowed in a SQL job"
    }

    private func reservedName(in request: Request) -> String? {
        guard let reservedPrefix else { return nil }
        // Of other actions the texts are a column, a function, a pragma's argument or a database.
        let names =
            switch request.action {
            case SQLITE_READ, SQLITE_UPDATE: [request.first]
            case SQLITE_FUNCTION, SQLITE_ANALYZE, SQLITE_REINDEX: [String?]()
            default: [request.first, request.second]
            }
        return names.compactMap { $0 }.first { $0.lowercased().hasPrefix(reservedPrefix) }
    }
}

/// The lists.
extension Sandbox {
    private static let refusedAlways: [Int32: String] = [
        SQLITE_ATTACH: "ATTACH",
        SQLITE_DETACH: "DETACH",
        SQLITE_TRANSACTION: "BEGIN, COMMIT or ROLLBACK",
        SQLITE_SAVEPOINT: "SAVEPOINT",
    ]

    private static let writing: Set<Int32> = [
        SQLITE_INSERT, SQLITE_UPDATE, SQLITE_DELETE,
        SQLITE_CREATE_TABLE, SQLITE_CREATE_INDEX, SQLITE_CREATE_VIEW, SQLITE_CREATE_TRIGGER,
        SQLITE_CREATE_TEMP_TABLE, SQLITE_CREATE_TEMP_INDEX, SQLITE_CREATE_TEMP_VIEW,
        SQLITE_CREATE_TEMP_TRIGGER,
        SQLITE_DROP_TABLE, SQLITE_DROP_INDEX, SQLITE_DROP_VIEW, SQLITE_DROP_TRIGGER,
        SQLITE_DROP_TEMP_TABLE, SQLITE_DROP_TEMP_INDEX, SQLITE_DROP_TEMP_VIEW,
        SQLITE_DROP_TEMP_TRIGGER,
        SQLITE_ALTER_TABLE, SQLITE_REINDEX, SQLITE_ANALYZE, SQLITE_DROP_VTABLE,
    ]

    private static let modules: Set<String> = ["fts5", "fts5vocab", "rtree", "rtree_i32"]

    /// Modules that the connection keeps, for tables that are in a file already. Those of
    /// `refusedTables` that nobody can make a table of are left for their better sentence.
    static let knownModules =
        modules + ["fts3", "fts4", "json_each", "json_tree", "sqlite_stmt"]

    private static let schemaTables: Set<String> = ["sqlite_master", "sqlite_temp_master"]

    private static let pragmaPrefix = "pragma_"

    /// Their argument says what is asked about and changes nothing. FTS5 itself asks for
    /// `data_version`.
    private static let inquiries: Set<String> = [
        "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo",
        "foreign_key_list", "foreign_key_check", "integrity_check", "quick_check",
        "compile_options", "function_list", "collation_list", "data_version",
    ]

    /// With an argument these would be set.
    private static let readableSettings: Set<String> = [
        "user_version", "schema_version", "encoding", "page_count", "page_size",
        "freelist_count",
    ]

    /// Tables without a file that tell about the connection: `sqlite_stmt` has the SQL of whoever
    /// used it before.
    private static let refusedTables: Set<String> = [
        "sqlite_stmt", "dbstat", "sqlite_dbpage", "bytecode", "tables_used",
    ]
}
