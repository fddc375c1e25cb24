public import JobCore

/// A message that is not of the shape that its sender promised, and what is wrong with it. Between
/// our own threads a mistake of ours; from elsewhere, a version that does not fit.
public struct FrameError: Error, Equatable, Sendable {
    public let problem: String

    init(_ problem: String) {
        self.problem = problem
    }
}

extension FrameError: Explained {
    public var summary: String { "A message could not be read: \(problem)." }

    public var hint: String? { "Let both sides be of the same version." }
}
