internal import JobCore
internal import JobWire

/// `sleep`: does nothing for a while, to test patience.
///
/// Input: `{"ms": 250}`, up to seven days. Output: `{"slept_ms": 250}`. Wakes at once when the job
/// is cancelled.
struct SleepKernel: Kernel {
    let name = "sleep"

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        let longest = Int(Limits.timeouts.upperBound)
        let ms = try input.fields(["ms"]).integer("ms", in: 0...longest)
        try run.sleep(for: .milliseconds(ms))
        return .json(["slept_ms": .integer(Int64(ms))])
    }
}
