import ArgumentParser
import Glibc
import JobClient
import JobCore
import JobRunner
import JobTesting
import JobWire
import Testing
import ZeroMQ

@testable import millrace

/// How words on the command line become values, ids, durations and endpoints.
@Suite struct ArgumentTests {
    @Test(arguments: [
        ("7", JSON.integer(7)), ("-2.5", .real(-2.5)), ("true", true), ("null", nil),
        (#""7""#, "7"), ("seven", "seven"), ("", ""), ("007", "007"), ("2026-01-01", "2026-01-01"),
        ("[1]", "[1]"), (#"{"a":1}"#, #"{"a":1}"#), (" 7 ", .integer(7)), ("é\u{0}", "é\u{0}"),
        ("99999999999999999999", .bigNumber("99999999999999999999")),
    ])
    func `a JSON scalar keeps its type and everything else is text`(text: String, value: JSON) {
        #expect(Values.scalar(text) == value)
    }

    @Test func `parameters are a list or an object and never both`() throws {
        #expect(try Values.parameters(positional: [], named: []) == nil)
        #expect(try Values.parameters(positional: ["1", "a"], named: []) == [1, "a"])
        #expect(
            try Values.parameters(positional: [], named: ["a=1", "b=x=y", "c="])
                == ["a": 1, "b": "x=y", "c": ""]
        )
        for (positional, named) in [
            (["1"], ["a=1"]), ([], ["a"]), ([], ["=1"]), ([], ["a=1", "a=2"]),
        ] {
            #expect(throws: ValidationError.self) {
                try Values.parameters(positional: positional, named: named)
            }
        }
    }

    @Test func `an input is JSON, here or in a file`() throws {
        #expect(try Values.input(#"{"below": 10}"#) == ["below": 10])
        #expect(throws: JSONError.self) { try Values.input("below 10") }
        #expect(throws: FileError(path: "/no/file", errno: 2)) { try Values.input("@/no/file") }
    }

    @Test(arguments: [
        ("500ms", 500), ("0", 0), ("90", 90_000), ("30s", 30_000), ("10m", 600_000),
        ("2h", 7_200_000), ("7d", 604_800_000),
    ])
    func `a pause has a unit or is in seconds`(text: String, ms: Int64) {
        #expect(Pause(argument: text)?.ms == ms)
    }

    @Test(arguments: ["", "m", "-1s", "1.5h", " 10m", "10x", "99999999999999999d", "٣s"])
    func `what is no pause is refused`(text: String) {
        #expect(Pause(argument: text) == nil)
    }

    @Test func `jobs are named by number, range or last`() {
        #expect(JobName(argument: "42") == .range(42...42))
        #expect(JobName(argument: "3-9") == .range(3...9))
        #expect(JobName(argument: "9223372036854775807") == .range(.max ... .max))
        #expect(JobName(argument: "last") == .last)
        for wrong in [
            "", "0", "-3", "9-3", "3-", "-", "3-4-5", "x", "1-x", "+1", "99999999999999999999",
        ] {
            #expect(JobName(argument: wrong) == nil, "\(wrong)")
        }
    }

    @Test func `each job counts once and the newest is asked for when it is meant`() throws {
        func ids(_ words: String...) throws -> [Int64] {
            try JobName.ids(of: words.compactMap(JobName.init)) { JobID(rawValue: 5) }
                .map(\.rawValue)
        }
        #expect(try ids("7", "3-5", "4-6", "last", "7") == [7, 3, 4, 5, 6])
        #expect(try ids("1-10000").count == 10_000)
        #expect(throws: ValidationError.self) { try ids("1-10001") }
        #expect(throws: ValidationError.self) { try ids("1-9223372036854775807") }
        #expect(throws: NoJobs.self) { try JobName.ids(of: [.last]) { nil } }
    }

    @Test func `the endpoint is the option, the variable, the socket or the port, in this order`() {
        let state = ["HOME": "/home/ada", "MILLRACE_STATE": "/s"]
        let all = state.merging(["MILLRACE_CONNECT": "tcp://a:1"]) { $1 }
        func endpoint(_ option: String?, _ variables: [String: String], _ there: Bool) -> String {
            RunnerOptions.endpoint(option: option, variables) { _ in there }
        }
        #expect(endpoint("tcp://b:2", all, true) == "tcp://b:2")
        #expect(endpoint(nil, all, true) == "tcp://a:1")
        #expect(endpoint(nil, state, true) == "ipc:///s/run/millrace.sock")
        #expect(endpoint(nil, state, false) == "tcp://127.0.0.1:5555")
        #expect(
            endpoint(nil, ["HOME": "/home/ada", "MILLRACE_CONNECT": ""], true)
                == "ipc:///home/ada/.local/state/millrace/run/millrace.sock"
        )
        #expect(endpoint(nil, [:], true) == "tcp://127.0.0.1:5555")
    }

    @Test func `both keys are options or variables, or there are none`() throws {
        let directory = try TemporaryDirectory()
        let file = directory.path + "/ada.key"
        let (secret, server) = (try SecretKey(), try SecretKey().publicKey)
        try secret.write(newFile: file)
        let both = ["MILLRACE_SERVER_KEY": server.text, "MILLRACE_SECRET_KEY": file]
        let keys = SocketOptions.ClientKeys(secretKey: secret, serverKey: server)
        #expect(try RunnerOptions.keys(server: nil, secret: nil, both) == keys)
        #expect(try RunnerOptions.keys(server: server.text, secret: file, [:]) == keys)
        #expect(
            try RunnerOptions.keys(server: nil, secret: nil, ["MILLRACE_SERVER_KEY": ""]) == nil
        )
        for (server, secret) in [(server.text, nil), (nil, file), ("no key", file)] {
            #expect(throws: ValidationError.self) {
                try RunnerOptions.keys(server: server, secret: secret, [:])
            }
        }
        chmod(file, 0o644)
        #expect(throws: KeyFileProblem.open(file, mode: 0o644)) {
            try RunnerOptions.keys(server: nil, secret: nil, both)
        }
    }

    @Test(arguments: [[], ["a b"], ["ada", "--role", "root"], ["../ada"], ["ada", "x"]])
    func `a key is made for a name and a role that there are`(words: [String]) {
        #expect(throws: (any Error).self) { try KeygenCommand.parse(words) }
    }

    @Test func `a submission becomes the protocol's job`() throws {
        let command = try SubmitCommand.parse([
            "--sql", "-- a comment\nselect ?, ?", "--param", "-1", "--param", "x",
            "--database", "sales", "--format", "csv", "--queue", "mail", "--priority", "-5",
            "--timeout", "10m", "--max-attempts", "2", "--delay", "1h", "--key", "k",
            "--name", "n", "--tag", "a", "--tag", "b",
        ])
        var job = try command.work.job()
        command.terms.apply(to: &job)
        #expect(
            job.json == [
                "sql": "-- a comment\nselect ?, ?", "params": [-1, "x"], "database": "sales",
                "format": "csv", "queue": "mail", "priority": -5, "delay_ms": 3_600_000,
                "timeout_ms": 600_000, "max_attempts": 2, "key": "k", "name": "n",
                "tags": ["a", "b"],
            ]
        )
    }

    @Test func `a kernel takes its input and parts`() throws {
        let command = try SubmitCommand.parse([
            "--kernel", "primes", "--input", #"{"below":9}"#, "--parts", "4",
        ])
        #expect(
            try command.work.job().json == ["kernel": "primes", "input": ["below": 9], "parts": 4]
        )
    }

    @Test func `a command takes the words behind the dashes, as they are`() throws {
        let command = try SubmitCommand.parse([
            "--command", "--env", "A=b=c", "--input", "x y", "--queue", "q", "--", "gzip", "-9",
            "--wait",
        ])
        #expect(
            try command.work.job(command.words).json == [
                "command": ["gzip", "-9", "--wait"], "env": ["A": "b=c"], "input": "x y",
            ]
        )
        #expect(!command.wait)
        let bare = try SubmitCommand.parse(["--command", "gzip"])
        #expect(try bare.work.job(bare.words).json == ["command": ["gzip"], "input": nil])
    }

    @Test func `input that is no text goes in a frame`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/bytes"
        let file = try #require(fopen(path, "w"))
        fwrite([0, 255, 0] as [UInt8], 1, 3, file)
        fclose(file)
        let command = try SubmitCommand.parse(["--command", "--input", "@\(path)", "--", "gzip"])
        let job = try command.work.job(command.words)
        #expect(job.json == ["command": ["gzip"], "input": ["$frame": 2]])
        #expect(job.frames == [[0, 255, 0]])
    }

    @Test(arguments: [
        ["--command"], ["--command", "--sql", "x", "--", "gzip"], ["--env", "A=b", "f.sql"],
        ["--kernel", "k", "--env", "A=b"], ["--command", "--parts", "2", "--", "gzip"],
        ["--command", "--param", "1", "--", "gzip"],
        [], ["--sql", "x", "--kernel", "y"], ["--sql", "x", "file.sql"], ["--input", "1", "f.sql"],
        ["--kernel", "k", "--param", "1"], ["--sql", "x", "--parts", "2"],
        ["--priority", "1", "f.sql"], ["--sql", "x", "--timeout", "soon"],
    ])
    func `a submission that does not say one thing is refused`(words: [String]) {
        #expect(throws: (any Error).self) { try SubmitCommand.parse(words) }
    }

    @Test(arguments: [
        [], ["1", "--all"], ["1", "--state", "failed"], ["--state", "lost"], ["x"],
    ])
    func `what to cancel must be said in one way`(words: [String]) {
        #expect(throws: (any Error).self) { try CancelCommand.parse(words) }
    }

    @Test func `every command has help with an example`() {
        func check(_ command: any ParsableCommand.Type) {
            let configuration = command.configuration
            #expect(!configuration.abstract.isEmpty, "\(command)")
            #expect(configuration.discussion.contains("Example"), "\(command)")
            for inner in configuration.subcommands { check(inner) }
        }
        check(Millrace.self)
    }
}

/// How a program that called us learns what happened.
@Suite struct ExitCodeTests {
    @Test func `every way to end has its code`() {
        func code(_ status: Int) -> Int32 {
            ExitCode(ending: ClientError.refused(Refusal(status, "", ""))).rawValue
        }
        #expect(ExitCode(ending: ClientError.noRunner(endpoint: "")).rawValue == 69)
        #expect(ExitCode(ending: ClientError.notLetIn(endpoint: "")).rawValue == 69)
        #expect(ExitCode(ending: ClientError.timedOut(service: "", endpoint: "")).rawValue == 75)
        #expect(ExitCode(ending: ClientError.badReply("")).rawValue == 70)
        #expect(ExitCode(ending: NoJobs()).rawValue == 3)
        #expect(ExitCode(ending: SettingsError(problems: [""])).rawValue == 1)
        #expect(ExitCode(ending: FileError(path: "", errno: 2)).rawValue == 64)
        #expect([404, 410].map(code) == [3, 3])
        #expect([429, 503].map(code) == [75, 75])
        #expect([400, 403, 409, 413, 422].map(code) == [64, 64, 64, 64, 64])
        #expect([500, 501].map(code) == [70, 70])
    }

    @Test func `of several jobs the worst end counts`() {
        func worst(_ states: JobState...) -> Int32 {
            ExitCode.worst(of: states.map { ExitCode(of: $0) }).rawValue
        }
        #expect(worst() == 0)
        #expect(worst(.succeeded, .succeeded) == 0)
        #expect(worst(.succeeded, .running) == 5)
        #expect(worst(.cancelled, .queued) == 4)
        #expect(worst(.cancelled, .failed, .queued) == 1)
    }
}
