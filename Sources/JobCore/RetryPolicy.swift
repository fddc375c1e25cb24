/// How often, and after what pauses, a failed job is run again.
///
/// The pause doubles with each failure up to `longestMs`; up to a quarter of it is taken off by
/// chance, so that jobs that failed together do not come back together. The chance is drawn from
/// the job's id and attempt: the same job always pauses for the same time, which can be tested.
public struct RetryPolicy: Hashable, Sendable {
    /// Failures in all before the job is given up, the first included. 1...100.
    public var maxAttempts: Int
    /// Pause after the first failure, in ms.
    public var firstMs: Int64
    /// Upper bound of every pause, in ms.
    public var longestMs: Int64

    public static let standard = RetryPolicy(maxAttempts: 3, firstMs: 1_000, longestMs: 600_000)

    public init(maxAttempts: Int, firstMs: Int64, longestMs: Int64) {
        self.maxAttempts = maxAttempts
        self.firstMs = firstMs
        self.longestMs = longestMs
    }

    /// The pause in ms after this many failures, or nil when they were one too many.
    public func pause(afterFailures failures: Int, of job: JobID, _ attempt: Attempt) -> Int64? {
        guard failures < maxAttempts else { return nil }

        let doublings = min(max(failures, 1) - 1, 40)  // 2^40 ms are 35 years
        let (doubled, overflowed) = firstMs.multipliedReportingOverflow(by: 1 << doublings)
        let whole = overflowed ? longestMs : min(doubled, longestMs)
        let seed = UInt64(bitPattern: job.rawValue) ^ (UInt64(attempt.rawValue) << 48)
        let chance = Int64(scrambled(seed) >> 54)  // 0...1023
        let (parts, rest) = (whole / 4).quotientAndRemainder(dividingBy: 1_024)
        return whole - parts * chance - rest * chance / 1_024
    }
}

/// Spreads neighbouring numbers over all 64 bits.
///
/// Source: the finaliser of SplitMix64; Steele, Lea, Flood, OOPSLA 2014.
func scrambled(_ seed: UInt64) -> UInt64 {
    var z = seed &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
}
