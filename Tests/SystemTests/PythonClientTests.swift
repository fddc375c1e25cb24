import Foundation
import JobTesting
import Testing

/// The client for Python, `Sources/clients/python`, by its own tests: they start the built runner,
/// kill it and start it again.
@Suite struct PythonClientTests {
    @Test func `the client for Python passes its tests against the built runner`() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Sources/clients/python").path()
        var environment = ProcessInfo.processInfo.environment
        environment["MILLRACE_TEST_PROGRAM"] = RunnerProcess.built("millrace")
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        let directory = try TemporaryDirectory()
        let command = "cd '\(folder)' && exec '\(try python())' -m unittest discover -t . -s tests"
        let tests = try ChildProcess(
            "/bin/bash",
            ["-c", command],
            environment: environment,
            directory: directory.path
        )
        let code = try tests.waitForEnd(within: .seconds(600))
        #expect(code == 0, "\(tests.errors)")
        // One that was skipped would stand behind the OK.
        #expect(tests.errors.hasSuffix("\n\nOK\n"), "\(tests.errors.suffix(200))")
        let count = tests.errors.firstMatch(of: /\nRan (\d+) tests/).flatMap { Int($0.1) }
        #expect(count ?? 0 >= 70, "There were \(count ?? 0) tests.")
    }
}
