/// How long jobs of the same sort take, as far as is known: a guess for the next one.
struct Pace {
    /// Sorts that are remembered; when there are more, all are learnt anew.
    static let sortsMax = 4_096

    private var micros: [UInt64: Double] = [:]

    /// - Returns: µs, or nil when no job of the sort has run yet.
    func expectedMicros(_ sort: UInt64) -> Double? { micros[sort] }

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
