internal import JobCore

/// Why a bench cannot go on.
enum BenchError: Error, Equatable {
    /// The runner has answered nothing for a minute.
    case silence(endpoint: String)
    /// The runner answered with other digits than expected.
    case refused(digits: String, head: String)
    /// A result is not what it must be, or a job did not succeed.
    case wrong(String)
    /// The runner of the bench did not start; its last words.
    case noStart(log: String)
    case system(action: String, reason: String)
    /// A signal asked for the end.
    case stopped
}

extension BenchError: Explained {
    var summary: String {
        switch self {
        case .silence(let endpoint): "The runner at \(endpoint) has not answered for a minute."
        case .refused(let digits, let head): "The runner answered \(digits): \(head)"
        case .wrong(let what): "A wrong answer was measured: \(what)."
        case .noStart(let log): "The runner of the bench did not start: \(log)"
        case .system(let action, let reason): "Cannot \(action): \(reason)."
        case .stopped: "The bench was stopped."
        }
    }

    var hint: String? {
        switch self {
        case .wrong: "This is a fault of the runner: please report it."
        case .system: "Name another directory with --directory."
        default: nil
        }
    }
}
