import Foundation
import JobCore
import JobTesting
import JobWire
import Testing
import ZeroMQ

/// A client in another language: pyzmq, against the built runner.
///
/// It needs Python with pyzmq: `deploy/test` makes a virtual environment and names its Python in
/// `MILLRACE_TEST_PYTHON`. With `MILLRACE_TEST_FULL` set it sends as many jobs as the release is
/// measured by.
@Suite struct ForeignClientTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let isFull = environment["MILLRACE_TEST_FULL"] != nil

    private static let script = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "foreign_client.py").path()

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

    private func run(_ arguments: [String], in runner: RunnerProcess) throws -> String {
        let client = try ChildProcess(
            python(),
            [Self.script] + arguments,
            environment: Self.environment,
            directory: runner.directory.path
        )
        let code = try client.waitForEnd(within: Self.isFull ? .seconds(600) : .seconds(120))
        try #require(code == 0, "\(client.errors)")
        return client.output
    }

    @Test func `the protocol's ten lines of Python work as they stand`() throws {
        let runner = try RunnerProcess()
        let said = try JSON(parsing: Array(run(["ten-lines", runner.tcp], in: runner).utf8))
        #expect(said.arrayValue?[0] == "200")
        #expect(said.arrayValue?[1] == "succeeded")
        #expect(said.arrayValue?[2]["columns"] == ["answer"])
        #expect(said.arrayValue?[2]["rows"] == [[42]])
    }

    @Test func `a key of the settings opens the door, and nothing else does`() throws {
        let runner = try KeyedRunner()
        let (tcp, key) = (runner.process.tcp, runner.serverKey.text)
        let said = try run(["keys", tcp, key, runner.keyFile(.submit)], in: runner.process)
        #expect(said == "[\"200\", [null, null, null], \"200\"]\n")
        #expect(try Conversation(runner.process.ipc).ask("sys.stats")["counts"]?["succeeded"] == 2)
    }

    @Test func `every job comes back right by its id, also after a kill and a restart`() throws {
        let runner = try RunnerProcess()
        let path = runner.directory.path + "/ids.json"
        let counts = Self.isFull ? ["10000", "100", "1000"] : ["1000", "20", "500"]
        let jobs = Self.isFull ? 110_000 : 11_000
        let first = try run(["submit", runner.tcp, path] + counts, in: runner)
        #expect(first == "{\"jobs\": \(jobs)}\n")
        try runner.killAll()
        try runner.restart()
        let second = try run(["check", runner.tcp, path] + counts, in: runner)
        #expect(second == first)
    }
}
