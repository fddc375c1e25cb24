public import JobCore

/// Settings that cannot be used: every problem, not only the first.
public struct SettingsError: Explained, Equatable, Sendable {
    /// One sentence each, at least one.
    public let problems: [String]

    public init(problems: [String]) { self.problems = problems }

    public var summary: String {
        problems.count == 1
            ? problems[0] : "The settings have \(problems.count) problems:\n" + lines
    }

    public var hint: String? { "deploy/millrace.example.yaml shows every setting." }

    private var lines: String { problems.map { "  - " + $0 }.joined(separator: "\n") }
}
