internal import Foundation
internal import JobTesting

/// A running Millrace with the sample database, on which the blocks of one document are tried, one
/// after the other, as a reader would.
final class Workshop {
    private let runner: RunnerProcess
    private var printed = ""

    /// What a reader would be surprised by.
    struct Surprise: Error, CustomStringConvertible {
        let description: String
    }

    init() throws {
        var options = RunnerProcess.Options()
        options.databases = ["sales=\(try SampleDatabase.path()):write"]
        options.settings["COMMANDS"] = Self.commands
        runner = try RunnerProcess(options)
    }

    func attempt(_ block: Document.Block) throws {
        switch (block.what, block.language) {
        case ("run", "python"): printed = try run(Self.python, ["-c", block.text.at(runner.tcp)])
        case ("run", "sh"): printed = try run("/bin/bash", ["-euo", "pipefail", "-c", block.text])
        case ("source", _): try find(block)
        case ("syntax", "js"):
            let path = try write(block, as: "example.mjs")
            try run("/bin/bash", ["-c", "exec node --check '\(path)'"])
        case ("prints", _): try compare(printed, block)
        case ("check", _): try check(block, exitCode: 0)
        case ("refused", _): try check(block, exitCode: 1)
        case ("settings", _):
            try run(Self.millrace, ["check", "--settings", try write(block, as: "settings.yaml")])
        case ("spool", _): try drop(block)
        case ("results", _):
            let path = runner.spool + "/results/" + block.argument
            try compare(try eventually("there is \(path)") { contents(path) }, block)
        default: throw Surprise(description: "Nobody knows how to test \(block.what).")
        }
    }

    private static let millrace = RunnerProcess.built("millrace")
    private static let commands = "sort=/usr/bin/sort"

    /// With the package pyzmq. `deploy/test` makes it, and says where it is.
    private static var python: String {
        ProcessInfo.processInfo.environment["MILLRACE_TEST_PYTHON"]
            ?? Document.root + "/.build/test-python/bin/python3"
    }

    private func write(_ block: Document.Block, as name: String) throws -> String {
        let path = runner.directory.path + "/" + name
        try block.text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    private func check(_ block: Document.Block, exitCode: Int32) throws {
        let path = try write(block, as: block.argument)
        try run(Self.millrace, ["check", "--database", "sales=sales.db:write", path], exitCode)
    }

    /// Renamed in, so that it is taken at once.
    private func drop(_ block: Document.Block) throws {
        let path = try write(block, as: block.argument)
        try FileManager.default.moveItem(atPath: path, toPath: runner.spool + "/" + block.argument)
    }

    private func contents(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Code that a test runs: it stands in the test's file, however deep.
    private func find(_ block: Document.Block) throws {
        func words(_ text: String) -> String {
            text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
                .joined(separator: "\n")
        }
        let path = Document.root + "/" + block.argument
        let source = try String(contentsOfFile: path, encoding: .utf8)
        guard words(source).contains(words(block.text)) else {
            throw Surprise(description: "This does not stand in \(block.argument).")
        }
    }

    private func compare(_ text: String, _ block: Document.Block) throws {
        guard agrees(text, with: block.text) else {
            throw Surprise(description: "It says:\n\(text)The document says:\n\(block.text)")
        }
    }

    /// - Returns: What the program printed.
    @discardableResult
    private func run(
        _ program: String,
        _ arguments: [String],
        _ exitCode: Int32 = 0
    ) throws -> String {
        var environment = RunnerProcess.environment
        environment["MILLRACE_STATE"] = runner.state
        environment["MILLRACE_COMMANDS"] = Self.commands
        environment["PYTHONPATH"] = Document.root + "/Sources/clients/python"
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        let programs = URL(filePath: Self.millrace).deletingLastPathComponent().path()
        environment["PATH"] = programs + ":" + (environment["PATH"] ?? "")
        let child = try ChildProcess(
            program,
            arguments,
            environment: environment,
            directory: runner.directory.path
        )
        let code = try child.waitForEnd()
        guard code == exitCode else {
            throw Surprise(description: "Exit code \(code):\n\(child.output)\(child.errors)")
        }
        return child.output
    }
}

extension String {
    /// A program as printed, that asks our runner instead of the usual one.
    fileprivate func at(_ endpoint: String) -> String {
        replacing("tcp://127.0.0.1:5555", with: endpoint)
    }
}

/// The database that `deploy/quickstart` makes, made once for all documents.
enum SampleDatabase {
    private static let made = Result { try make() }

    static func path() throws -> String { try made.get().path + "/sales.db" }

    private static func make() throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        let database = directory.path + "/sales.db"
        _ = FileManager.default.createFile(atPath: database, contents: nil)
        var options = RunnerProcess.Options()
        options.databases = ["sales=\(database):write"]
        let runner = try RunnerProcess(options)
        let child = try ChildProcess(
            RunnerProcess.built("millrace"),
            ["submit", Document.root + "/deploy/sample-database.sql", "--wait", "--json"],
            environment: ["MILLRACE_STATE": runner.state],
            directory: directory.path
        )
        _ = try child.waitForEnd(within: .seconds(180))
        let expected =
            #"{"columns":["customers","products","orders","lines"],"#
            + #""rows":[[5000,200,40000,119992]],"changes":165192,"last_insert_rowid":40000}"#
        guard child.output == expected else {
            throw Workshop.Surprise(description: "\(child.output)\(child.errors)")
        }
        return directory
    }
}
