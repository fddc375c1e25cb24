import JobTesting
import JobWire

@testable import JobRunner

/// What the tests of the kernels share.
func compute(_ kernel: some Kernel, _ input: JSON) throws(KernelError) -> JSON {
    try kernel.compute(KernelInput(input), KernelRun()).json()
}

/// The output as a runner gets it for `parts: count`.
func compute(
    _ kernel: some Kernel,
    _ input: KernelInput,
    parts count: Int
) throws(KernelError) -> KernelOutput {
    guard let parts = try kernel.split(input, into: count) else {
        return try kernel.compute(input, KernelRun())
    }
    var outputs: [KernelOutput] = []
    for part in parts { outputs.append(try kernel.compute(part, KernelRun())) }
    return try kernel.reduce(outputs, of: input)
}

/// The error's sentence and hint, or the output where there was no error.
func complaint(of kernel: some Kernel, _ input: String) -> String {
    do {
        let output = try kernel.compute(KernelInput(raw: Array(input.utf8)), KernelRun())
        return String(decoding: output.bytes, as: UTF8.self)
    } catch {
        return [error.summary, error.hint].compactMap { $0 }.joined(separator: " ")
    }
}
