import Foundation
import Glibc
import JobTesting
import JobWire
import Testing

/// Commands, as the built program runs them: what they are given, what comes of them, and what may
/// not be run.
@Suite struct CommandJobTests {
    private let stage: CommandStage

    init() throws { stage = try CommandStage() }

    @Test func `its output is the result, and what it said beside it stands in the head`() throws {
        let said = try stage.run(#"cat; echo "oh, é" >&2"#, ["input": "a\nb"])
        #expect(said.text == "a\nb")
        #expect(said["format"] == "text")
        #expect(said["exit_code"] == 0)
        #expect(said["stderr"] == "oh, é\n")
        let shown = try stage.client.show(said.id)
        #expect(shown["kind"] == "command")
        #expect(shown["result"]?["stderr"] == "oh, é\n")
        #expect(shown["result"]?["exit_code"] == 0)
    }

    @Test func `its input may be bytes, and more than any pipe holds`() throws {
        let bytes = (0..<3 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let id = try stage.client.submit(
            #"{"command":["cat"],"input":{"$frame":2}}"#,
            frames: [bytes]
        )
        let said = try stage.client.result(id)
        #expect(said.frames == [bytes])
        #expect(said["format"] == "bytes")
        #expect(said["stderr"] == "")
        // Nobody has to read what it is given.
        let deaf = try stage.client.submit(
            #"{"command":["sh","-c","exec <&-; echo done"],"input":{"$frame":2}}"#,
            frames: [bytes]
        )
        #expect(try stage.client.result(deaf).text == "done\n")
    }

    @Test func `a runner with less memory than a command may have runs it with that`() throws {
        let stage = try CommandStage()
        stage.runner.process.signal(SIGTERM)
        try stage.runner.process.waitForEnd()
        var options = stage.runner.options
        options.settings["COMMAND_MEMORY_BYTES"] = "\(1 << 40)"
        // Without the right to raise a limit, as a service has it.
        options.wrapper = [
            "/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all",
            "/usr/bin/prlimit", "--as=\(64 << 30)",
        ]
        try stage.runner.restart(options)
        let client = try Conversation(stage.runner.ipc)
        let id = try client.submit(#"{"command":["sh","-c","ulimit -v"]}"#)
        #expect(try client.result(id).text == "\(64 << 20)\n")
    }

    /// The settings' page says that a script is the way to allow less than a shell.
    @Test func `an allowed script runs nothing but itself`() throws {
        let stage = try CommandStage()
        let script = try stage.runner.directory.program("fixed", "echo fixed")
        stage.runner.process.signal(SIGTERM)
        try stage.runner.process.waitForEnd()
        var options = stage.runner.options
        options.settings["COMMANDS"] = "fixed=\(script)"
        try stage.runner.restart(options)
        let client = try Conversation(stage.runner.ipc)
        #expect(try client.result(client.submit(#"{"command":["fixed"]}"#)).text == "fixed\n")
        for (name, value) in [
            ("BASH_ENV", "$(echo more >\(stage.note))"),
            ("SHELLOPTS", "xtrace"), ("PS4", "$(echo more >\(stage.note))"),
            ("BASH_FUNC_echo%%", "() { builtin echo more >\(stage.note); }"),
        ] {
            let said = try client.ask(
                "job.submit",
                #"{"command":["fixed"],"env":{"\#(name)":"\#(value)"}}"#
            )
            #expect(said.code == "403" && said.errorCode == "denied", "\(said.head)")
            if said.code == "200" { _ = try client.result(said.id) }
        }
        #expect(!FileManager.default.fileExists(atPath: stage.note))
    }

    @Test func `a program is named as in the settings, or by that path`() throws {
        let id = try stage.client.submit(#"{"command":["/bin/sh","-c","echo \"$0\""]}"#)
        #expect(try stage.client.result(id).text == "/bin/sh\n")
        for word in ["/bin/../bin/sh", "bash", "/bin/bash", "../sh"] {
            let said = try stage.client.ask("job.submit", #"{"command":["\#(word)"]}"#)
            #expect(said.code == "403" && said.errorCode == "denied", "\(said.head)")
            #expect(said["error"]?["message"] == .string(#"Jobs may not run "\#(word)"."#))
        }
        let info = try stage.client.ask("sys.info")
        #expect(info["commands"]?.arrayValue?.contains("sh") == true)
    }

    @Test func `what was allowed when it was submitted is denied when it is not any more`() throws {
        let id = try stage.client.submit(#"{"command":["sh"],"delay_ms":600000}"#)
        try stage.client.ask("job.cancel", #"{"id":\#(id)}"#)
        stage.runner.process.signal(SIGTERM)
        #expect(try stage.runner.process.waitForEnd() == 0)
        var options = stage.runner.options
        options.settings["COMMANDS"] = "true=/bin/true"
        try stage.runner.restart(options)
        let client = try Conversation(stage.runner.ipc)
        try client.ask("job.retry", #"{"id":\#(id)}"#)
        let said = try client.result(id)
        #expect(said.errorCode == "denied", "\(said.head)")
        #expect(said["attempt"] == 1)
    }

    @Test(arguments: [("exit 3", 3), ("kill -9 $$", 137), ("exec /no/such/program", 127)])
    func `another end than 0 is a failure with its code and the last words`(
        script: String,
        code: Int64
    ) throws {
        let said = try stage.run("echo first >&2; echo last words >&2; \(script)")
        #expect(said.errorCode == "exit_code", "\(said.head)")
        #expect(said["error"]?["exit_code"] == .integer(code))
        #expect(said["error"]?["message"]?.stringValue?.contains("first\nlast words") == true)
        #expect(said.frames.isEmpty)
        #expect(try stage.client.show(said.id)["error"]?["exit_code"] == .integer(code))
    }

    @Test func `a program that is not there fails at once`() throws {
        let id = try stage.client.submit(#"{"command":["gone"]}"#)
        let said = try stage.client.result(id)
        #expect(said["error"]?["exit_code"] == 127)
        #expect(said["attempt"] == 1)
        let directory = try stage.client.submit(#"{"command":["directory"]}"#)
        #expect(try stage.client.result(directory)["error"]?["exit_code"] == 126)
    }

    @Test func `it is run again after a failure, as often as it may`() throws {
        let said = try stage.run(
            #"echo x >>"$NOTE"; test "$(wc -l <"$NOTE")" = 2 || exit 1; echo done"#,
            ["max_attempts": 3, "backoff": ["first_ms": 1, "longest_ms": 1]]
        )
        #expect(said.text == "done\n")
        #expect(said["attempt"] == 2)
    }

    @Test func `of what it said the end is kept`() throws {
        let said = try stage.run("i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo $i >&2; done")
        let stderr = said["stderr"]?.stringValue ?? ""
        #expect(stderr.utf8.count <= 4_096 && stderr.utf8.count > 4_000)
        #expect(stderr.hasSuffix("\n4999\n5000\n"))
        let failed = try stage.run(
            "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo $i >&2; done; exit 1"
        )
        let message = failed["error"]?["message"]?.stringValue ?? ""
        #expect(message.hasPrefix("The program ended with exit code 1: …"))
        #expect(message.hasSuffix("\n4999\n5000") && message.count < 1_000)
    }

    @Test func `its output has a limit`() throws {
        let stage = try CommandStage(["LIMITS_RESULT_BYTES": "65536"])
        let most = try stage.run("head -c 65536 /dev/zero")
        #expect(most.frames.first?.count == 65_536)
        for script in ["head -c 65537 /dev/zero", "cat /dev/zero", "trap '' TERM; cat /dev/zero"] {
            let said = try stage.run(script)
            #expect(said.errorCode == "result_too_large", "\(said.head)")
            #expect(said["attempt"] == 1)
        }
        let beside = try stage.run("head -c 100000 /dev/zero >&2")
        #expect(beside.text == "")
    }

    @Test func `its memory has a limit`() throws {
        #expect(try stage.run("ulimit -v").text == "262144\n")
    }

    @Test func `its environment is what is documented, and what it was given`() throws {
        let id = try stage.client.submit(
            #"{"command":["env"],"env":{"A":"b=c","LANG":"C"}}"#
        )
        let said = try stage.client.result(id)
        let lines = (said.text ?? "").split(separator: "\n").sorted()
        #expect(lines.count == 4, "\(lines)")
        #expect(lines.first == "A=b=c")
        #expect(lines.contains("LANG=C"))
        #expect(lines.contains("PATH=/usr/local/bin:/usr/bin:/bin"))
        let rooms = stage.runner.state + "/run/commands/"
        #expect(lines.contains { $0.hasPrefix("HOME=\(rooms)\(id)-1.") }, "\(lines)")
        let plain = try stage.client.result(stage.client.submit(#"{"command":["env"]}"#))
        #expect(plain.text?.contains("LANG=C.UTF-8\n") == true)
        #expect(plain.text?.contains("SECRET") == false)
    }

    @Test func `it has three descriptors, no rights to gain, and a session without a terminal`()
        throws
    {
        let said = try stage.run(
            """
            ls /proc/$$/fd
            while read -r name value; do
                case $name in NoNewPrivs:|SigBlk:|SigIgn:) echo "$name $value";; esac
            done </proc/$$/status
            (: </dev/tty) 2>/dev/null && echo terminal
            read -r stat </proc/$$/stat; set -- ${stat##*)}; test "$3" = $$ && echo group
            """
        )
        let lines = (said.text ?? "").split(separator: "\n").map(String.init)
        #expect(lines.prefix(3) == ["0", "1", "2"], "\(lines)")
        #expect(lines.contains("NoNewPrivs: 1"))
        #expect(lines.contains("SigBlk: 0000000000000000"), "\(lines)")
        // Where the tests run under nohup a hang-up is ignored; 32 and 33 are the C library's own,
        // which posix_spawn always leaves so.
        let ignored = lines.compactMap { line in
            line.hasPrefix("SigIgn: ") ? UInt64(line.dropFirst(8), radix: 16) : nil
        }
        let allowed = UInt64(1) << (SIGHUP - 1) | 0b11 << 31
        #expect(ignored.first.map { $0 & ~allowed } == 0, "\(lines)")
        #expect(lines.last == "group" && !lines.contains("terminal"), "\(lines)")
    }

    @Test func `its directory is its own, empty at first, and gone afterwards`() throws {
        let said = try stage.run(
            #"pwd; ls -A; test "$PWD" = "$HOME" && echo home; mkdir -m 0 a; echo >b; echo >../c"#
        )
        let lines = (said.text ?? "").split(separator: "\n").map(String.init)
        #expect(lines.count == 2 && lines.last == "home", "\(lines)")
        #expect(!FileManager.default.fileExists(atPath: lines[0]))
        #expect(try stage.rooms.isEmpty)
        let other = try stage.run("pwd; exit 1")
        #expect(other.errorCode == "exit_code")
        #expect(try stage.rooms.isEmpty)
    }

    @Test func `a file of jobs may hold commands`() throws {
        let name = stage.runner.spool + "/wc.json"
        try Data(#"{"command":["sh","-c","wc -c; echo counted >&2"],"input":"four"}"#.utf8)
            .write(to: URL(filePath: stage.runner.spool + "/.wc.json"))
        try #require(rename(stage.runner.spool + "/.wc.json", name) == 0)
        let results = stage.runner.spool + "/results/wc.json."
        let text = try eventually("there are results") {
            FileManager.default.contents(atPath: results + "json")
        }
        let job = try JSON(parsing: Array(text))["jobs"]?.arrayValue?.first
        #expect(job?["exit_code"] == 0 && job?["stderr"] == "counted\n", "\(text)")
        #expect(job?["result_file"] == "wc.json.txt")
        let output = FileManager.default.contents(atPath: results + "txt")
        #expect(output == Data("4\n".utf8))
    }

    @Test func `the command line runs them, and prints what they say`() throws {
        let script = "cat; echo beside >&2"
        let done = try stage.runner.command(
            "submit",
            "--command",
            "--input",
            "in",
            "--wait",
            "--",
            "sh",
            "-c",
            script
        )
        #expect(done.code == 0 && done.output == "in")
        #expect(done.errors.contains("beside\n"))
        let failed = try stage.runner.command(
            "submit",
            "--command",
            "--env",
            "CODE=7",
            "--max-attempts",
            "1",
            "--wait",
            "--",
            "sh",
            "-c",
            #"echo beside >&2; exit "$CODE""#
        )
        #expect(failed.code == 1 && failed.output.isEmpty)
        #expect(failed.errors.contains("exit code 7: beside"), "\(failed.errors)")
        let shown = try stage.runner.command("show", "last")
        #expect(shown.output.contains("exit code  7"), "\(shown.output)")
        let listed = try stage.runner.command("list", "--kind", "command", "--json")
        #expect(listed.code == 0 && listed.output.contains(#""kind":"command""#))
    }
}

/// A runner that allows some programs.
struct CommandStage {
    let runner: RunnerProcess
    let client: Conversation

    init(_ settings: [String: String] = [:], supervised: Bool = true) throws {
        var options = RunnerProcess.Options()
        options.supervised = supervised
        options.settings = [
            "COMMANDS": "sh=/bin/sh,cat=/bin/cat,env=/usr/bin/env,gone=/no/such/program,"
                + "directory=/usr",
            "COMMAND_MEMORY_BYTES": "\(256 << 20)", "LIMITS_RESULT_BYTES": "\(4 << 20)",
            "STUCK_MS": "2000", "DRAIN_MS": "200",
        ].merging(settings) { $1 }
        options.environment = ["SECRET": "of the runner"]
        runner = try RunnerProcess(options)
        client = try Conversation(runner.ipc)
    }

    /// Where scripts find `$NOTE`.
    var note: String { runner.directory.path + "/note" }

    /// What the script has noted, once it has: numbers of processes, mostly.
    func noted() throws -> [pid_t] {
        try eventually("something is noted") {
            let text = try? String(contentsOfFile: note, encoding: .utf8)
            guard let text, text.hasSuffix("\n") else { return nil }
            return text.split { $0 == " " || $0 == "\n" }.compactMap { pid_t($0) }
        }
    }

    /// Rooms of attempts that are there.
    var rooms: [String] {
        get throws {
            let path = runner.state + "/run/commands"
            return (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        }
    }

    /// Submits a shell's script, for one attempt unless told.
    func submit(_ script: String, _ fields: [String: JSON] = [:]) throws -> Int64 {
        var job = JSONObject()
        _ = job.append("command", ["sh", "-c", .string(script)])
        _ = job.append("env", ["NOTE": .string(note)])
        for (name, value) in fields { _ = job.append(name, value) }
        if fields["max_attempts"] == nil { _ = job.append("max_attempts", 1) }
        let text = String(decoding: JSON.object(job).encoded(), as: UTF8.self)
        return try client.submit(text)
    }

    func run(_ script: String, _ fields: [String: JSON] = [:]) throws -> Said {
        try client.result(submit(script, fields))
    }

    func expectGone(_ processes: [pid_t]) throws {
        for process in processes { try runner.waitForEnd(of: process) }
    }
}
