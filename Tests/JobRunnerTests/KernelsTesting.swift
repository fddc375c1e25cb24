import JobWire

@testable import JobRunner

/// What the tests of the kernels share.
func compute(_ kernel: some Kernel, _ input: JSON) throws(KernelError) -> JSON {
    try kernel.compute(KernelInput(input), KernelRun()).json()
}
