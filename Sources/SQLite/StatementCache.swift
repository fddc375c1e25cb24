/// Keeps the statements that were used last, so that the same SQL is not parsed again.
struct StatementCache {
    struct Key: Hashable {
        let sql: String
        /// A statement that was prepared outside the sandbox is never given to one inside.
        let isConfined: Bool
    }

    private struct Entry {
        let statement: Statement
        var lastUse: Int
    }

    /// Statements kept at most; 0 keeps none.
    var capacity: Int {
        didSet { shrink(to: max(capacity, 0)) }
    }
    private var entries: [Key: Entry] = [:]
    private var clock = 0

    init(capacity: Int) {
        self.capacity = capacity
    }

    var count: Int { entries.count }

    /// The statement, ready to be bound; nil when it is not here or just running.
    mutating func take(_ key: Key) -> Statement? {
        guard let index = entries.index(forKey: key) else { return nil }
        let statement = entries.values[index].statement
        guard !statement.isRunning else { return nil }

        clock += 1
        entries.values[index].lastUse = clock
        statement.clearBindings()
        return statement
    }

    mutating func keep(_ statement: Statement, as key: Key) {
        guard capacity > 0, entries[key] == nil else { return }

        shrink(to: capacity - 1)
        clock += 1
        entries[key] = Entry(statement: statement, lastUse: clock)
    }

    mutating func removeAll() {
        entries = [:]
    }

    private mutating func shrink(to count: Int) {
        while entries.count > count {
            guard let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) else {
                return
            }
            entries[oldest.key] = nil
        }
    }
}
