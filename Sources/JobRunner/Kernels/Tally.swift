internal import JobWire

/// What `sum` has added up so far: exact, and the same for every order and division.
struct Tally {
    /// Never overflows: 2^63 numbers of 64 bits have a sum of 126.
    private var integers: Int128 = 0
    /// Nil while there was no real among the numbers.
    private var reals: ExactSum?
    private(set) var count = 0

    init() {}

    mutating func add(_ number: NumberReader.Number) {
        count += 1
        switch number {
        case .integer(let integer): integers &+= Int128(integer)
        case .real(let real):
            if reals == nil { reals = ExactSum() }
            reals?.add(real)
        }
    }

    /// - Returns: False when the counts or integers of both cannot be true.
    mutating func add(_ part: Tally) -> Bool {
        let (integers, overflowed) = integers.addingReportingOverflow(part.integers)
        let (count, overran) = count.addingReportingOverflow(part.count)
        guard !overflowed, !overran else { return false }
        self.integers = integers
        self.count = count
        if let partReals = part.reals {
            if reals == nil { reals = ExactSum() }
            reals?.add(partReals)
        }
        return true
    }

    /// Rounded, if there are reals.
    func output() throws(KernelError) -> KernelOutput {
        .json(["sum": try sum(), "count": .integer(Int64(count))])
    }

    private func sum() throws(KernelError) -> JSON {
        guard var reals else {
            guard let sum = Int64(exactly: integers) else {
                throw .badInput(
                    field: "numbers",
                    message: "The sum \(integers) is beyond 64 bits.",
                    hint: "Write one of the numbers as a real, such as 1.0, to have a rounded sum."
                )
            }
            return .integer(sum)
        }
        reals.add(integers)
        let sum = reals.rounded
        guard sum.isFinite else {
            throw .badInput(
                field: "numbers",
                message: "The sum is beyond the largest real number, about 1.8e308."
            )
        }
        return .real(sum)
    }

    // MARK: Parts

    var partialOutput: KernelOutput {
        let digits = reals?.normalised.map { JSON.integer($0) } ?? []
        return .json([
            "integers": .string(String(integers)), "reals": .array(digits),
            "count": .integer(Int64(count)),
        ])
    }

    /// - Returns: Nil when that is no partial output.
    init?(partial json: JSON) {
        guard let text = json["integers"]?.stringValue, let integers = Int128(text),
            let digits = json["reals"]?.arrayValue?.compactMap({ $0.integerValue }),
            let count = json["count"]?.integerValue, count >= 0,
            // As many numbers of 64 bits as that, so that `ExactSum` has room for them.
            integers.magnitude <= UInt128(count.magnitude) << 63
        else { return nil }
        self.integers = integers
        self.count = Int(count)
        if digits.isEmpty { return }
        guard let reals = ExactSum(normalised: digits) else { return nil }
        self.reals = reals
    }
}
