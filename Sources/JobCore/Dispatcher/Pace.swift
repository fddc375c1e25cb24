/// How long jobs of the same sort take, as far as is known: a guess for the next one.
struct Pace {
    /// Sorts that are remembered; when there are more, all are learnt anew.
    static let sortsMax = 4_096
    /// A run that lasts at least this long, in µs, is long.
    static let longMicros = Crew.recallAfterMs * 1_000
    /// The first run of a sort opens databases and starts processes: it tells only when it took
    /// this long, in µs.
    static let firstMicros: Int64 = 100_000

    private var micros = Averages()
    /// Of each sort, whether its last run and the one before were long.
    private var lengths: [UInt64: (last: Bool, before: Bool)] = [:]

    /// - Returns: µs, or nil when no job of the sort has run yet.
    func expectedMicros(_ sort: UInt64) -> Double? { micros[sort] }

    func knows(_ sort: UInt64) -> Bool { lengths[sort] != nil }

    /// Whether jobs of the sort are known to be long: the last two runs were. One that was held up,
    /// by other programs or a cold cache, says nothing.
    func isLong(_ sort: UInt64) -> Bool {
        guard let runs = lengths[sort] else { return false }
        return runs.last && runs.before
    }

    private mutating func note(_ sort: UInt64, _ micros: Int64) {
        if lengths.count >= Self.sortsMax && lengths[sort] == nil { lengths.removeAll() }
        let before = lengths[sort]?.last ?? (micros >= Self.firstMicros)
        lengths[sort] = (last: micros >= Self.longMicros, before: before)
    }

    mutating func learn(_ sort: UInt64, micros new: Int64) {
        note(sort, new)
        micros.learn(sort, new)
    }
}

/// Of each sort a moving average in which the newest run counts for a quarter; longer runs count in
/// full, so that a sort that may take long is not taken for short.
struct Averages {
    private var values: [UInt64: Double] = [:]

    subscript(sort: UInt64) -> Double? { values[sort] }

    mutating func learn(_ sort: UInt64, _ new: Int64) {
        if values.count >= Pace.sortsMax && values[sort] == nil { values.removeAll() }
        let new = Double(new)
        guard let old = values[sort], new < old * 4 else {
            values[sort] = new
            return
        }
        values[sort] = old + (new - old) / 4
    }
}
