import Foundation
import JobTesting
import JobWire

/// One call of the built `millrace` that has ended.
struct Command {
    let code: Int32
    let output: String
    let errors: String
    var json: JSON { get throws { try JSON(parsing: Array(output.utf8)) } }

    /// Runs it with these arguments; `state` is the state directory that it finds.
    init(
        _ arguments: [String],
        state: String,
        in directory: String,
        wrapper: [String] = []
    ) throws {
        let process = try Self.start(arguments, state: state, in: directory, wrapper: wrapper)
        code = try process.waitForEnd(within: .seconds(120))
        output = process.output
        errors = process.errors
    }

    static func start(
        _ arguments: [String],
        state: String,
        in directory: String,
        wrapper: [String] = []
    ) throws -> ChildProcess {
        let words = wrapper + [RunnerProcess.built("millrace")] + arguments
        return try ChildProcess(
            words[0],
            Array(words.dropFirst()),
            environment: RunnerProcess.environment.merging(["MILLRACE_STATE": state]) { $1 },
            directory: directory
        )
    }
}

extension RunnerProcess {
    /// Runs `millrace` against this runner's state directory.
    func command(_ arguments: String...) throws -> Command {
        try Command(arguments, state: state, in: directory.path)
    }
}

/// A Python with pyzmq. It fails, rather than skipping, when there is none.
func python() throws -> String {
    let environment = ProcessInfo.processInfo.environment
    let python = environment["MILLRACE_TEST_PYTHON"] ?? "/usr/bin/python3"
    let directory = try TemporaryDirectory()
    let probe = try? ChildProcess(
        python,
        ["-c", "import zmq"],
        environment: environment,
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
