internal import JobCore
internal import SQLite

/// Finds out what becomes of an attempt whose worker does not stop, and which writes: it has
/// committed, or a tombstone under its key keeps it from ever doing so.
///
/// As long as the attempt holds the write lock neither can be told. This does not wait for it.
struct Burial {
    /// How long another writer is waited for, in ms: a worker does this beside its work.
    private static let patienceMs = 50

    let order: Order
    let database: String
    let now: Timestamp

    func ending(using databases: Databases) -> Report.Ending {
        do throws(Failure) {
            let (connection, writing) = try databases.connection(to: database, .write)
            guard let receipts = writing?.receipts else { return .putBack }
            connection.setBusyTimeout(milliseconds: Self.patienceMs)
            defer {
                connection.rollBack()
                // Opening has found the receipts of earlier runs, of which the report of a burial
                // says nothing: the next run that writes finds them again.
                databases.forget(database, .write)
            }
            return ending(connection, receipts)
        } catch {
            // A database that the settings do not name any more is not there for anybody.
            return error.code == .denied ? .brokenOff : .putBack
        }
    }

    private func ending(_ connection: Connection, _ receipts: ReceiptBook) -> Report.Ending {
        let key = ReceiptBook.Key(order)
        do {
            try connection.begin(to: .write)
            switch try receipts.look(for: key) {
            case .done(let outcome): return .succeeded(outcome)
            case .buried: return .brokenOff
            case .none, .otherWork:
                try receipts.write(nil, for: key, at: now)
                try connection.commit()
                return .brokenOff
            }
        } catch {
            return .putBack
        }
    }
}
