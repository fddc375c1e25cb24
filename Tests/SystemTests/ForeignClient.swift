import Foundation
import JobTesting
import Testing

/// A script beside these tests that speaks ZeroMQ by itself.
///
/// It needs Python with pyzmq: `deploy/test` makes a virtual environment and names its Python in
/// `MILLRACE_TEST_PYTHON`.
struct ForeignClient {
    private static let environment = ProcessInfo.processInfo.environment
    private let script: String

    init(_ name: String) {
        script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: name).path()
    }

    /// - Returns: What it has printed, once it has ended well.
    func run(
        _ arguments: [String],
        in runner: RunnerProcess,
        within limit: Duration = .seconds(120)
    ) throws -> String {
        let client = try ChildProcess(
            python(),
            [script] + arguments,
            environment: Self.environment,
            directory: runner.directory.path
        )
        let code = try client.waitForEnd(within: limit)
        try #require(code == 0, "\(client.errors)")
        return client.output
    }
}
