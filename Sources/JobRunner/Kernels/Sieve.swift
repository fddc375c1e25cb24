/// Finds the primes of a range, segment by segment, in memory that does not grow with it.
///
/// Odd numbers only, a bit each: bit `i` stands for `2i + 1` and is set when that is no prime.
/// Source: the segmented sieve of Eratosthenes, Bays and Hudson, "The segmented sieve of
/// Eratosthenes and primes in arithmetic progressions to 10^12", BIT 17 (1977).
struct Sieve {
    /// Odd numbers in a segment: 32 KiB of bits, which stay in the nearest cache.
    private static let segmentOdds = 1 << 18

    private let end: Int
    /// The index of the first odd number of the next segment.
    private var start: Int
    /// The odd primes up to the square root of `end`.
    private let factors: [Int]
    /// For each factor, the index of its next odd multiple.
    private var multiples: [Int]
    private var composite: [UInt64]

    /// What one segment holds.
    struct Segment {
        /// Odd primes.
        let count: Int
        let largest: Int?
        /// All primes below this are found by now.
        let end: Int
    }

    /// - Parameter range: Not negative, and its bounds at most 2^60, so that nothing overflows.
    init(_ range: Range<Int>) {
        start = max(range.lowerBound / 2, 1)  // 1 is no prime.
        end = range.upperBound / 2
        factors = oddPrimes(upTo: squareRoot(of: range.upperBound))
        let first = start
        // Lesser multiples of a factor have a lesser factor.
        multiples = factors.map { factor in
            let square = (factor * factor - 1) / 2
            guard square < first else { return square }
            let past = (first - square) % factor
            return past == 0 ? first : first + factor - past
        }
        composite = []
    }

    /// The next segment, or nil after the last.
    mutating func next() -> Segment? {
        guard start < end else { return nil }
        let count = min(Self.segmentOdds, end - start)
        composite = [UInt64](repeating: 0, count: (count + 63) / 64)
        if count % 64 != 0 { composite[composite.count - 1] = ~0 << UInt64(count % 64) }
        strike(count)
        defer { start += count }
        return Segment(
            count: composite.reduce(0) { $0 + (~$1).nonzeroBitCount },
            largest: largest(),
            end: 2 * (start + count)
        )
    }

    private mutating func strike(_ count: Int) {
        let start = self.start
        composite.withUnsafeMutableBufferPointer { composite in
            for place in factors.indices {
                let factor = factors[place]
                var index = multiples[place] - start
                while index < count {
                    composite[index >> 6] |= 1 << UInt64(index & 63)
                    index += factor
                }
                multiples[place] = index + start
            }
        }
    }

    private func largest() -> Int? {
        guard let word = composite.lastIndex(where: { $0 != ~0 }) else { return nil }
        let bit = 63 - (~composite[word]).leadingZeroBitCount
        return 2 * (start + 64 * word + bit) + 1
    }
}

/// By trial of the primes found so far: a million numbers at most are asked for.
private func oddPrimes(upTo last: Int) -> [Int] {
    guard last >= 3 else { return [] }
    var isComposite = [Bool](repeating: false, count: last + 1)
    var primes: [Int] = []
    for number in stride(from: 3, through: last, by: 2) where !isComposite[number] {
        primes.append(number)
        for multiple in stride(from: number * number, through: last, by: 2 * number) {
            isComposite[multiple] = true
        }
    }
    return primes
}

/// Rounded up where it is not exact: one factor too many does no harm.
private func squareRoot(of number: Int) -> Int {
    Int(Double(number).squareRoot()) + 1
}
