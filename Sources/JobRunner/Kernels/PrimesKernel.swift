internal import JobWire

/// `primes`: counts the primes below a bound and names the largest.
///
/// Input: `{"below": 1000000}`, at most 10^12; with `"from"`, only primes from there on. Output:
/// `{"count": 78498, "largest": 999983}`, `largest` null when there is none. Divides by ranges.
struct PrimesKernel: Kernel {
    let name = "primes"

    static let largestBound = 1_000_000_000_000

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        let range = try range(of: input)
        var found = Found()
        if range.contains(2) { found = Found(count: 1, largest: 2) }
        var sieve = Sieve(range)
        while let segment = sieve.next() {
            try run.throwIfCancelled()
            found.count += segment.count
            found.largest = segment.largest ?? found.largest
            run.progress(done: min(segment.end, range.upperBound), total: range.upperBound)
        }
        return found.output
    }

    func split(_ input: KernelInput, into count: Int) throws(KernelError) -> [KernelInput]? {
        let range = try range(of: input)
        let shares = evenShares(of: range.count, into: count)
        guard shares.count > 1 else { return nil }
        var start = range.lowerBound
        return shares.map { share in
            defer { start += share }
            return KernelInput([
                "from": .integer(Int64(start)), "below": .integer(Int64(start + share)),
            ])
        }
    }

    func reduce(
        _ outputs: [KernelOutput],
        of input: KernelInput
    ) throws(KernelError) -> KernelOutput {
        var whole = Found()
        for output in outputs {
            let part = try Found(try output.json())
            whole.count += part.count
            whole.largest = part.largest ?? whole.largest
        }
        return whole.output
    }

    private func range(of input: KernelInput) throws(KernelError) -> Range<Int> {
        let fields = try input.fields(["from", "below"])
        let below = try fields.integer("below", in: 0...Self.largestBound)
        let from = fields.has("from") ? try fields.integer("from", in: 0...below) : 0
        return from..<below
    }
}

/// What is known of the primes of a range.
private struct Found {
    var count = 0
    var largest: Int?

    init(count: Int = 0, largest: Int? = nil) {
        self.count = count
        self.largest = largest
    }

    init(_ json: JSON) throws(KernelError) {
        guard let count = json["count"]?.integerValue, let largest = json["largest"],
            (0...Int64(PrimesKernel.largestBound)).contains(count)
        else { throw .failed("A part's output has no usable fields \"count\" and \"largest\".") }
        self.init(count: Int(count), largest: largest.integerValue.map { Int($0) })
    }

    var output: KernelOutput {
        .json([
            "count": .integer(Int64(count)),
            "largest": largest.map { .integer(Int64($0)) } ?? .null,
        ])
    }
}
