/// How long jobs of the same sort take, as far as is known: a guess for the next one.
struct Pace {
    /// Sorts that are remembered; when there are more, all are learnt anew.
    static let sortsMax = 4_096

    private var micros: [UInt64: Double] = [:]
    /// Of each sort, whether its last run and the one before were long.
    private var lengths: [UInt64: (last: Bool, before: Bool)] = [:]

    /// - Returns: µs, or nil when no job of the sort has run yet.
    func expectedMicros(_ sort: UInt64) -> Double? { micros[sort] }

    /// Whether jobs of the sort are known to be long: the last two runs were, or the only one. One
    /// run that was held up, by other programs or a cold cache, says nothing.
    func isLong(_ sort: UInt64) -> Bool {
        guard let runs = lengths[sort] else { return false }
        return runs.last && runs.before
    }

    /// To be called once a run: when it has lasted too long to be short, or at its end.
    mutating func note(_ sort: UInt64, isLong: Bool) {
        if lengths.count >= Self.sortsMax && lengths[sort] == nil { lengths.removeAll() }
        lengths[sort] = (last: isLong, before: lengths[sort]?.last ?? isLong)
    }

    /// A moving average in which the newest run counts for a quarter; longer runs count in full, so
    /// that a sort that may take long is not taken for short.
    mutating func learn(_ sort: UInt64, micros new: Int64) {
        if micros.count >= Self.sortsMax && micros[sort] == nil { micros.removeAll() }
        let new = Double(new)
        guard let old = micros[sort], new < old * 4 else {
            micros[sort] = new
            return
        }
        micros[sort] = old + (new - old) / 4
    }
}
