import Foundation
import JobCore
import JobTesting
import JobWire
import Testing
import ZeroMQ

/// A client in another language: pyzmq, against the built runner.
///
/// With `MILLRACE_TEST_FULL` set it sends as many jobs as the release is measured by.
@Suite struct ForeignClientTests {
    private static let isFull = ProcessInfo.processInfo.environment["MILLRACE_TEST_FULL"] != nil

    private func run(_ arguments: [String], in runner: RunnerProcess) throws -> String {
        let limit = Self.isFull ? Duration.seconds(600) : .seconds(120)
        return try ForeignClient("foreign_client.py").run(arguments, in: runner, within: limit)
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
