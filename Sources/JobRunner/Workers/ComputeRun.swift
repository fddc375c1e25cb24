internal import JobCore
internal import JobWire

/// Runs one compute job, or divides one, or puts the results of its children together.
struct ComputeRun {
    let work: ComputeWork
    let order: Order
    let kernels: KernelRegistry
    let limits: Limits
    let run: KernelRun

    /// - Throws: The kernel's error; a lost kernel is a permanent one.
    func ending() throws(KernelError) -> Report.Ending {
        guard let kernel = kernels[work.kernel] else {
            throw .badInput(field: nil, message: "There is no kernel \(work.kernel).")
        }
        let input = KernelInput(work)
        switch order.phase {
        case .run, .look, .bury: return try ending(with: kernel.compute(input, run))
        case .split: return try split(input, by: kernel)
        case .reduce:
            guard try areAll(order.outputs, of: input, by: kernel) else {
                return .failed(.lacksParts)
            }
            let outputs = order.outputs.map { KernelOutput($0, format: .json) }
            return try ending(with: kernel.reduce(outputs, of: input))
        }
    }

    /// A damaged store may have fewer parts than there were, and nobody shall take what they make
    /// for the whole. Only small inputs have fewer than was asked for: they are quickly divided
    /// again.
    private func areAll(_ outputs: [[UInt8]], of input: KernelInput, by kernel: any Kernel)
        throws(KernelError) -> Bool
    {
        if outputs.count == order.parts { return true }
        return try outputs.count == kernel.split(input, into: order.parts)?.count
    }

    func endingOrFailure() -> Report.Ending {
        do throws(KernelError) {
            return try ending()
        } catch {
            return .failed(error.failure ?? Failure(.kernelError, "The run was broken off."))
        }
    }

    /// What cannot be divided is run as a whole.
    private func split(_ input: KernelInput, by kernel: any Kernel) throws(KernelError)
        -> Report.Ending
    {
        guard let inputs = try kernel.split(input, into: order.parts), !inputs.isEmpty else {
            return try ending(with: kernel.compute(input, run))
        }
        return .split(inputs.map(part))
    }

    private func part(_ input: KernelInput) -> Part {
        var writer = JSONWriter(capacity: input.raw.count + 64)
        writer.beginObject()
        writer.member("kernel", .string(work.kernel))
        writer.key("input")
        writer.raw(input.raw)
        writer.endObject()
        let frames = input.frames.sorted { $0.key < $1.key }.map { number, bytes in
            // Of frames that a kernel has passed on, this compares no bytes.
            let isShared = order.frames.contains { $0.number == number && $0.bytes == bytes }
            return Spec.Frame(number: number, bytes: bytes, isShared: isShared)
        }
        return Part(body: writer.finish(), frames: frames)
    }

    private func ending(with output: KernelOutput) throws(KernelError) -> Report.Ending {
        guard output.bytes.count <= limits.resultBytes else {
            return .failed(.resultTooLarge(mostBytes: limits.resultBytes))
        }
        return .succeeded(Outcome(format: output.format, bytes: output.bytes))
    }
}

extension KernelInput {
    fileprivate init(_ work: ComputeWork) {
        if work.isCall {
            self.init(call: work.frames.sorted { $0.number < $1.number }.map(\.bytes))
        } else {
            let frames = Dictionary(work.frames.map { ($0.number, $0.bytes) }) { first, _ in first }
            self.init(raw: work.input, frames: frames)
        }
    }
}

extension Failure {
    fileprivate static let lacksParts = Failure(
        .damaged,
        "Not all parts of the job are there.",
        hint: "Ask `millrace doctor` about the store, and retry the job.",
        isPermanent: true
    )

    /// For work that does not hold what the front door lets in.
    static func unreadable(_ error: any Error) -> Failure {
        Failure(.kernelError, "The work cannot be read: \(error).", isPermanent: true)
    }
}
