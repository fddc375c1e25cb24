/// The ids that may be given to new jobs: a range that the store has durably reserved for this run.
struct IDSupply {
    /// How many are reserved at a time.
    static let block: Int64 = 100_000

    private var next: Int64
    private var last: Int64
    private var askedUpTo: Int64
    /// The most that could not be given at once since the last reservation.
    private var short: Int64 = 0

    init(_ reserved: ClosedRange<Int64>) {
        next = reserved.lowerBound
        last = reserved.upperBound
        askedUpTo = reserved.upperBound
    }

    /// - Returns: Nil when so many are not reserved yet.
    mutating func take(_ count: Int) -> ClosedRange<Int64>? {
        guard count > 0, last - next + 1 >= Int64(count) else {
            short = max(short, Int64(count))
            return nil
        }
        defer { next += Int64(count) }
        return next...(next + Int64(count) - 1)
    }

    /// - Returns: The change that should be asked for, before the ids run out; nil when there are
    ///   enough or it was asked for already.
    mutating func reservation() -> Change? {
        let wanted = max(Self.block / 2, short)
        // The store may have reserved more than was asked for: for an earlier run.
        guard last - next < wanted, askedUpTo <= last else { return nil }
        askedUpTo = last + max(Self.block, short)
        short = 0
        return .reserve(upTo: askedUpTo)
    }

    mutating func reserved(upTo: Int64) { last = max(last, upTo) }
}
