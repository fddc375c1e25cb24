/// The programs that jobs may run. A job names one of them, and never any other path.
public struct Programs: Equatable, Sendable {
    /// Absolute, by the names that jobs give them.
    public var paths: [String: String]

    public init(_ paths: [String: String] = [:]) { self.paths = paths }

    public var isEmpty: Bool { paths.isEmpty }

    public var names: [String] { paths.keys.sorted() }

    /// The program that a job means by this word: a name, or the path of one that has a name.
    ///
    /// - Returns: Its path; nil when jobs may not run it.
    public func path(of word: String) -> String? {
        paths[word] ?? paths.values.first { $0 == word }
    }
}
