internal import Glibc
internal import JobCore
internal import JobStorage
internal import SQLite

/// A store that tells facts before they are safe: what a runner would be that does not keep its
/// first promise. The control of the kill test.
///
/// The runner works on the usual file. Beside it lies another, to which the same changes are
/// written some commits later; a start begins from there, so a kill takes with it what came last.
final class HastyStore: WriterStore {
    /// Commits that are told and not safe.
    private static let behind = 8

    private let told: JobStore
    private let safe: JobStore
    private var waiting: [(changes: [Change], at: Timestamp)] = []

    init(path: String, limits: Limits) throws(StoreError) {
        let safePath = path + ".safe"
        safe = try JobStore(path: safePath, limits: limits)
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
        do throws(SQLiteError) {
            try Connection(path: safePath, mode: .readOnly).run("VACUUM INTO '\(path)'")
        } catch {
            throw .sqlite(path: path, error)
        }
        told = try JobStore(path: path, limits: limits)
    }

    func commit(_ changes: [Change], at now: Timestamp) throws(StoreError) -> [Fact] {
        let facts = try told.commit(changes, at: now)
        waiting.append((changes, now))
        if waiting.count > Self.behind { try makeSafe() }
        return facts
    }

    private func makeSafe() throws(StoreError) {
        let (changes, now) = waiting.removeFirst()
        _ = try safe.commit(changes, at: now)
    }

    var logBytes: Int64 { told.logBytes }

    func shrinkLog() throws(StoreError) { try told.shrinkLog() }

    func answer(_ query: Query) throws(StoreError) -> Answer { try told.answer(query) }

    func recover(inFlight: [InFlight], at now: Timestamp) throws(StoreError) -> Recovery {
        _ = try safe.recover(inFlight: inFlight, at: now)
        return try told.recover(inFlight: inFlight, at: now)
    }

    func stop(_ run: RunID, at now: Timestamp) throws(StoreError) {
        while !waiting.isEmpty { try makeSafe() }
        try safe.stop(run, at: now)
        try told.stop(run, at: now)
    }
}
