public import JobCore

/// How a run of a kernel ends without an output.
public enum KernelError: Error, Equatable, Sendable {
    /// The input is to blame: another attempt would fail alike, so none is made. `field` names the
    /// place, such as `numbers[3]`, or is nil when it is the input as a whole.
    case badInput(field: String?, message: String, hint: String? = nil)
    /// Something else is to blame; the job's retry policy decides on another attempt.
    case failed(String)
    /// The run saw that it was cancelled. The runner knows why: a client, a stop or the time-out.
    case brokenOff

    /// What the job shows as its error; nil when the run was broken off.
    public var failure: Failure? {
        switch self {
        case .badInput: Failure(.kernelError, summary, hint: hint, isPermanent: true)
        case .failed: Failure(.kernelError, summary)
        case .brokenOff: nil
        }
    }
}

extension KernelError: Explained {
    public var summary: String {
        switch self {
        case .badInput(nil, let message, _), .failed(let message): message
        case .badInput(let field?, let message, _): "Input field \"\(field)\": \(message)"
        case .brokenOff: "The run was broken off."
        }
    }

    public var hint: String? {
        if case .badInput(_, _, let hint) = self { hint } else { nil }
    }
}
