internal import JobWire

/// `count`: counts from 0 up to a number, one by one. It measures how fast a worker thread is, and
/// how well several work beside each other.
///
/// Input: `{"to": 10000000000}`, at most 2^53. Output: `{"count": 10000000000}`. Divides.
struct CountKernel: Kernel {
    let name = "count"

    static let largest = 1 << 53

    /// Steps between two looks at the clock: about half a millisecond.
    private static let blockSteps = 1 << 20

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        let to = try target(of: input)
        var count = 0
        while count < to {
            try run.throwIfCancelled()
            let blockEnd = min(count + Self.blockSteps, to)
            // An optimiser would replace a bare loop by its end value. It may not here: each step
            // looks at a flag that another thread can raise, which is true, and costs hardly more.
            while count < blockEnd, !run.isAskedToStop { count &+= 1 }
            run.progress(done: count, total: to)
        }
        return output(count)
    }

    func split(_ input: KernelInput, into count: Int) throws(KernelError) -> [KernelInput]? {
        let shares = evenShares(of: try target(of: input), into: count)
        guard shares.count > 1 else { return nil }
        return shares.map { KernelInput(["to": .integer(Int64($0))]) }
    }

    func reduce(
        _ outputs: [KernelOutput],
        of input: KernelInput
    ) throws(KernelError) -> KernelOutput {
        var total = 0
        for output in outputs {
            guard let count = try output.json()["count"]?.integerValue,
                (0...Self.largest - total).contains(Int(count))
            else { throw .failed("A part's output has no usable field \"count\".") }
            total += Int(count)
        }
        return output(total)
    }

    private func target(of input: KernelInput) throws(KernelError) -> Int {
        try input.fields(["to"]).integer("to", in: 0...Self.largest)
    }

    private func output(_ count: Int) -> KernelOutput {
        .json(["count": .integer(Int64(count))])
    }
}
