internal import SQLite

/// A consistent copy of a store in one file, made while others go on writing the original.
///
/// `VACUUM INTO` reads all in one transaction. The backup API of SQLite would begin anew with every
/// commit of another connection and, under load, never end; this always ends. As long as it reads,
/// the original's log cannot be emptied and grows.
public struct StoreCopy: Equatable, Sendable {
    /// Jobs in the copy, children apart.
    public let jobs: Int64

    /// Operations of SQLite between two questions: some milliseconds.
    private static let operations = 200_000

    /// Copies the store into this file, which must be empty or not be there, and looks through the
    /// copy page by page. It is marked as a backup, by which the store that begins with it knows
    /// that it is not the original.
    ///
    /// Nothing is synced: the copy may be lost with the machine.
    ///
    /// - Parameters:
    ///   - path: The store's file.
    ///   - copy: The file to fill.
    ///   - mayGoOn: Asked now and then; false ends the work with an error of the store.
    /// - Throws: What is wrong with either file.
    public init(
        of path: String,
        in copy: String,
        mayGoOn: @escaping () -> Bool
    ) throws(StoreError) {
        let source = try StoreFile.openForReading(path: path)
        source.onProgress(every: Self.operations, mayGoOn)
        do throws(SQLiteError) {
            try source.run("VACUUM INTO ?", .text(copy))
        } catch {
            throw StoreError(error, path: error.isFull || error.isReadOnly ? copy : path)
        }
        do throws(SQLiteError) {
            let made = try Connection(path: copy, mode: .readWrite)
            made.onProgress(every: Self.operations, mayGoOn)
            try Self.mark(made)
            let faults = try StoreFile.faults(in: made, reach: .whole)
            guard faults.isEmpty else { throw .damage(faults[0]) }
            let count =
                "SELECT total(queued + running + succeeded + failed + cancelled) FROM queues"
            jobs = try made.prepare(count).first { $0.integer(0) } ?? 0
        } catch {
            throw StoreError(error, path: copy)
        }
    }

    /// A copy that is lost half-made is thrown away, so that it needs no journal.
    private static func mark(_ made: Connection) throws(SQLiteError) {
        try made.run("PRAGMA journal_mode = OFF")
        // Older stores have no identity, and are given a new one when they are first opened.
        guard try made.row("SELECT 1 FROM sqlite_schema WHERE name = 'identity'") != nil else {
            return
        }
        try made.run("UPDATE identity SET is_backup = 1")
    }
}
