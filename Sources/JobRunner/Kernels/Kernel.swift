/// A computation registered by name, which jobs of the kind `compute` run.
///
/// The runner gives a kernel its queueing, retries, time-outs, results and fan-out; the kernel only
/// computes. A kernel of one's own:
///
/// ```swift
/// struct Repeat: Kernel {
///     let name = "repeat"
///
///     func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
///         let fields = try input.fields(["text", "times"])
///         let text = try fields.string("text")
///         var result = ""
///         for _ in 0..<(try fields.integer("times", in: 0...1_000_000)) {
///             try run.throwIfCancelled()
///             result += text
///         }
///         return .json(["result": .string(result)])
///     }
/// }
///
/// var kernels = KernelRegistry.standard
/// try kernels.register(Repeat())
/// ```
///
/// What a kernel promises:
/// - **Pure.** The same input gives the same output. A run may be repeated after a crash, and its
///   first output thrown away.
/// - **Many at once.** Several threads call the same value at the same time.
/// - **Cancellable.** It looks at `run.isCancelled` often enough to stop within a few milliseconds,
///   and then throws `.brokenOff`. Blocking is fine, as long as this holds.
/// - **Never traps.** The input comes from outside: an overflow or an index out of range would end
///   the whole runner. Refuse with `.badInput` instead.
///
/// Who calls a kernel directly sends frames instead of JSON: `KernelInput.call` has them, and
/// `KernelOutput.frames` answers in kind.
///
/// A kernel whose work can be divided implements `split` and `reduce` as well. Parts are computed
/// by `compute` like any other input, so a part's input may say that it is one, by a field which
/// the kernel then documents, and the part's output may carry more than the final result does:
/// `sum` sets `"partial": true` and gets exact partial sums instead of a rounded one. The result
/// must be the same for every number of parts, 1 included.
///
/// What all parts need belongs in a binary frame, which their inputs pass on as they have it from
/// `input.frames`: it is stored once and shared, where JSON would be written anew into each part.
public protocol Kernel: Sendable {
    /// What jobs call it: 1 to 64 of the characters a–z, 0–9, `_` and `-`.
    var name: String { get }

    /// One run, on a thread of its own until it returns.
    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput

    /// Divides the input into at most `count` parts, in an order of the kernel's choice; nil when
    /// it cannot be divided, and the job then runs as it is.
    ///
    /// Called before any part runs. It should be quick, for it cannot be cancelled.
    func split(_ input: KernelInput, into count: Int) throws(KernelError) -> [KernelInput]?

    /// Puts the parts' outputs together, given in the order of the parts; each part has succeeded.
    /// Called only when `split` has divided this `input`.
    func reduce(_ outputs: [KernelOutput], of input: KernelInput) throws(KernelError)
        -> KernelOutput
}

extension Kernel {
    public func split(_ input: KernelInput, into count: Int) throws(KernelError) -> [KernelInput]? {
        nil
    }

    public func reduce(
        _ outputs: [KernelOutput],
        of input: KernelInput
    ) throws(KernelError) -> KernelOutput {
        throw .failed("The kernel \"\(name)\" divides its input but cannot reduce the outputs.")
    }
}

/// Sizes of `count` parts, or of fewer, that together make `total`: none is zero, and no two differ
/// by more than one.
func evenShares(of total: Int, into count: Int) -> [Int] {
    let parts = min(count, total)
    guard parts > 0 else { return [] }
    let (size, rest) = total.quotientAndRemainder(dividingBy: parts)
    return (0..<parts).map { $0 < rest ? size + 1 : size }
}
