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

    /// Fails, rather than skipping, when there is no pyzmq.
    private func python() throws -> String {
        let python = Self.environment["MILLRACE_TEST_PYTHON"] ?? "/usr/bin/python3"
        let directory = try TemporaryDirectory()
        let probe = try? ChildProcess(
            python,
            ["-c", "import zmq"],
            environment: Self.environment,
            directory: directory.path
        )
        guard try probe?.waitForEnd() == 0 else {
            throw NeverHappened(
                "a Python with pyzmq is found; run deploy/test, or set MILLRACE_TEST_PYTHON to the "
                    + "python of a virtual environment that has pyzmq"
            )
        }
        return python
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
