internal import JobCore

/// `echo`: gives its input back, byte for byte. Shows that a runner works, and what it costs.
///
/// Input: any JSON, which comes back as it was written, its white space included; or
/// `{"$frame": n}`, and the bytes of that frame come back. A direct call gets its frames back.
struct EchoKernel: Kernel {
    let name = "echo"

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        if let frames = input.call { return .frames(frames) }
        if let bytes = try input.frame(try input.json()) { return .bytes(bytes) }
        return KernelOutput(input.raw, format: .json)
    }
}
