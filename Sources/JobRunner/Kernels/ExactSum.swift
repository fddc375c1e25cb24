/// The exact sum of any number of doubles, whatever their order and size; rounded only when asked.
///
/// A whole number of 2^-1074, the least distance of two doubles, in digits of 32 bits. Each digit
/// has 31 bits more to collect carries in, so that adding touches two digits only. Unlike lists of
/// partial sums (Shewchuk 1997, as in Python's `fsum`), which fail when a sum on the way is too
/// large, this one depends on the numbers alone: any division into parts gives the same answer.
///
/// Source: the "small superaccumulator" of Radford M. Neal, "Fast exact summation using small and
/// large superaccumulators", arXiv:1505.05571 (2015).
struct ExactSum {
    /// 2^-1074 up to 2^1024 takes 2 098 bits; 46 more hold the carries of 2^46 numbers.
    static let digitCount = 67

    /// A number adds less than 2^52 to a digit, which keeps below 2^63 for so many numbers.
    private static let additionsMax = 1 << 10

    /// Lowest first.
    private var digits = InlineArray<67, Int64>(repeating: 0)
    private var additions = 0

    init() {}

    /// Digits as `normalised` gives them; nil when they are no such.
    init?(normalised digits: [Int64]) {
        let top = Int64(1) << 32
        guard digits.count == Self.digitCount,
            digits.dropLast().allSatisfy({ (0..<top).contains($0) }),
            digits.suffix(1).allSatisfy({ (-top..<top).contains($0) })
        else { return nil }
        for place in digits.indices { self.digits[place] = digits[place] }
    }

    /// The one way to write the sum: each digit from 0 to 2^32 - 1, the highest has the sign.
    var normalised: [Int64] {
        var sum = self
        sum.carry()
        return sum.digits.indices.map { sum.digits[$0] }
    }

    /// - Parameter number: Finite.
    mutating func add(_ number: Double) {
        precondition(number.isFinite, "only finite numbers have a sum")
        let isNormal = number.exponentBitPattern > 0
        let significand = Int64(number.significandBitPattern | (isNormal ? 1 << 52 : 0))
        let shift = isNormal ? Int(number.exponentBitPattern) - 1 : 0
        add(number.sign == .minus ? -significand : significand, shiftedBy: shift)
    }

    mutating func add(_ integer: Int128) {
        let low = Int64(truncatingIfNeeded: integer & 0xFFFF_FFFF)
        let middle = Int64(truncatingIfNeeded: (integer >> 32) & 0xFFFF_FFFF)
        add(low, shiftedBy: 1074)
        add(middle, shiftedBy: 1074 + 32)
        // At most 2^63 numbers of 64 bits: this is below 2^62 in magnitude.
        let high = Int64(truncatingIfNeeded: integer >> 64)
        add(high & 0xFFFF_FFFF, shiftedBy: 1074 + 64)
        add(high >> 32, shiftedBy: 1074 + 96)
    }

    mutating func add(_ other: ExactSum) {
        let normalised = other.normalised
        carry()
        for place in digits.indices { digits[place] += normalised[place] }
        carry()
    }

    /// Adds `number` × 2^(`shift` - 1074); the number's magnitude is below 2^53.
    private mutating func add(_ number: Int64, shiftedBy shift: Int) {
        if additions == Self.additionsMax { carry() }
        additions += 1
        let (place, bits) = (shift >> 5, Int64(shift & 31))
        // Two's complement: the low part is never negative, the high one takes the sign.
        digits[place] += (number << bits) & 0xFFFF_FFFF
        digits[place + 1] += number >> (32 - bits)
    }

    private mutating func carry() {
        for place in 0..<Self.digitCount - 1 {
            digits[place + 1] += digits[place] >> 32
            digits[place] &= 0xFFFF_FFFF
        }
        additions = 0
    }

    /// The nearest double, ties to even; infinite when the sum is beyond the largest.
    var rounded: Double {
        var digits = normalised
        let isNegative = (digits.last ?? 0) < 0
        if isNegative {
            var negated = ExactSum()
            for place in digits.indices { negated.digits[place] = -digits[place] }
            digits = negated.normalised
        }
        guard let highest = digits.lastIndex(where: { $0 != 0 }) else { return 0 }
        let length = 32 * highest + 64 - digits[highest].leadingZeroBitCount
        let dropped = max(length - 53, 0)  // Bits below the significand.
        var significand = bits(of: digits, from: dropped, count: 53)
        if dropped > 0, bits(of: digits, from: dropped - 1, count: 1) == 1 {
            let isTie = lowestBit(of: digits) == dropped - 1
            if !isTie || significand & 1 == 1 { significand += 1 }
        }
        let magnitude = Double(
            sign: .plus,
            exponent: dropped - 1074,
            significand: Double(significand)
        )
        return isNegative ? -magnitude : magnitude
    }

    private func bits(of digits: [Int64], from start: Int, count: Int) -> UInt64 {
        var found: UInt128 = 0
        for (step, place) in (start >> 5..<min((start >> 5) + 3, digits.count)).enumerated() {
            found |= UInt128(digits[place].magnitude) << UInt128(32 * step)
        }
        return UInt64(truncatingIfNeeded: found >> UInt128(start & 31)) & (1 << UInt64(count) - 1)
    }

    private func lowestBit(of digits: [Int64]) -> Int? {
        digits.firstIndex { $0 != 0 }.map { 32 * $0 + digits[$0].trailingZeroBitCount }
    }
}
