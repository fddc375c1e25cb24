import Foundation
import JobCore
import JobTesting
import JobWire
import Testing
import ZeroMQ

/// What other users of the machine can get at, and what the log tells.
@Suite struct PrivacyTests {
    /// A runner that was started with this mask, with a job done and another waiting.
    private func runner(mask: String) throws -> KeyedRunner {
        var options = RunnerProcess.Options()
        let start = "import os, sys; os.umask(0o\(mask)); os.execv(sys.argv[1], sys.argv[1:])"
        options.wrapper = ["/usr/bin/python3", "-c", start]
        let runner = try KeyedRunner(options)
        let client = try Conversation(runner.process.ipc)
        _ = try client.result(client.submit(#"{"sql":"select 1"}"#))
        _ = try client.submit(#"{"sql":"select 1","delay_ms":600000}"#)
        return runner
    }

    @Test(arguments: ["000", "022", "077"])
    func `every file is its owner's alone, whatever the mask`(mask: String) throws {
        let runner = try runner(mask: mask)
        for isSecondStart in [false, true] {
            let state = runner.process.state
            var paths = try FileManager.default.subpathsOfDirectory(atPath: state)
            for name in ["millrace.db", "millrace.db-wal", "run/inflight", "run/lock"] {
                #expect(paths.contains(name), "\(name)")
            }
            #expect(paths.contains("run/millrace.sock"))
            paths = paths.map { state + "/" + $0 } + [state, runner.process.spool]
            for path in paths + Role.allCases.map(runner.keyFile) {
                let attributes = try FileManager.default.attributesOfItem(atPath: path)
                let mode = attributes[.posixPermissions] as? Int ?? -1
                #expect(mode & 0o077 == 0, "\(path): \(String(mode, radix: 8))")
            }
            if isSecondStart { continue }
            try runner.process.killAll()
            try runner.process.restart()
        }
    }

    /// What a user without rights tries, path by path; each success is a line of output.
    private static let intruder = """
        import os, socket, sys
        for path in sys.argv[1:]:
            for name, attempt in [
                ("list", lambda: os.listdir(path)), ("read", lambda: open(path, "rb").read(1)),
                ("write", lambda: open(path, "ab")),
                ("connect", lambda: socket.socket(socket.AF_UNIX).connect(path)),
            ]:
                try:
                    attempt()
                    print(name, path)
                except OSError:
                    pass
        print("tried")
        """

    @Test(.enabled(if: getuid() == 0, "only root can be somebody else"))
    func `another user can read nothing and connect to nothing`() throws {
        let runner = try runner(mask: "000")
        let state = runner.process.state
        let names = try FileManager.default.subpathsOfDirectory(atPath: state)
        let paths = [state] + names.map { state + "/" + $0 } + Role.allCases.map(runner.keyFile)
        // Not only the directory of the test keeps others out.
        chmod(runner.process.directory.path, 0o755)
        chmod(runner.files.path, 0o755)
        for isOpened in [false, true] {
            if isOpened {
                // Somebody meant well: the files still protect themselves.
                chmod(state, 0o711)
                chmod(state + "/run", 0o711)
            }
            let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"]
            let intruder = try ChildProcess(
                "/usr/bin/setpriv",
                nobody + ["/usr/bin/python3", "-c", Self.intruder] + paths,
                environment: [:],
                directory: runner.process.directory.path
            )
            #expect(try intruder.waitForEnd() == 0, "\(intruder.errors)")
            #expect(intruder.output == "tried\n")
        }
    }

    private static let secret = "hunter2-0f1e"

    @Test func `no key, parameter or body is in the log or in a kept error`() throws {
        let runner = try KeyedRunner()
        let secret = Self.secret
        let clients = [try runner.client(.submit), try Conversation(runner.process.ipc)]
        let requests = [
            ("job.submit", #"{"sql":"select * from nope where a = ?","params":["\#(secret)"]}"#),
            ("job.submit", #"{"sql":"select json(:p)","params":{"p":"{\#(secret)"}}"#),
            ("job.submit", #"{"sql":"select '\#(secret)' from nope"}"#),
            ("job.submit", #"{"sql":"select 1","key":"\#(secret)"}"#),
            ("job.submit", #"{"sql":"select 2","key":"\#(secret)"}"#),
            ("job.submit", #"{"kernel":"primes","input":{"below":"\#(secret)"}}"#),
            ("job.submit", #"{"kernel":"sudoku","input":{"puzzles":["\#(secret)"]}}"#),
            ("job.submit", #"{"sql":"\#(secret)"#), ("job.submit", #"{"kernel":"\#(secret)"}"#),
            ("job.submit", #"{"\#(secret)":1}"#), ("job.list", secret), (secret, secret),
            ("mmi.service", secret), ("queue.pause", #"{"queue":"\#(secret)"}"#),
        ]
        for client in clients {
            for (service, body) in requests { try client.ask(service, body) }
            let bytes = Array(secret.utf8)
            try client.ask(
                "job.submit",
                #"{"kernel":"digest","input":{"bytes":{"$frame":2}}}"#,
                frames: [bytes]
            )
            try client.ask("sys.ping", "{}", frames: [bytes])
        }
        try strangers(at: runner)
        try "{\"sql\": \"\(secret)".write(
            toFile: runner.process.spool + "/bad.json",
            atomically: true,
            encoding: .utf8
        )
        let reason = runner.process.spool + "/refused/bad.json.reason.txt"
        _ = try eventually("the file is refused") {
            FileManager.default.fileExists(atPath: reason) ? true : nil
        }
        let local = try Conversation(runner.process.ipc)
        let jobs = try eventually("all jobs have ended") { () -> [JSON]? in
            let jobs = try local.ask("job.list")["jobs"]?.arrayValue ?? []
            return jobs.allSatisfy { $0["finished_at"] != nil } ? jobs : nil
        }
        #expect(jobs.contains { $0["error"] != nil })
        for job in jobs {
            let error = [job["error"], job["attempts"]].map { $0.map { "\($0)" } ?? "" }
            #expect(!error.joined().contains(secret), "\(error)")
        }
        try runner.process.killAll()
        try expectSilence(of: runner)
    }

    /// Who shows no key, or one that nobody has, and says the secret all the same.
    private func strangers(at runner: KeyedRunner) throws {
        try RawConnection(to: runner.process.port).say(Array(Self.secret.utf8))
        let keys = SocketOptions.ClientKeys(secretKey: try SecretKey(), serverKey: runner.serverKey)
        let stranger = try Conversation(dealer: runner.process.tcp, keys: keys)
        _ = try stranger.sayRaw([[], Array("MDPC01".utf8), Array(Self.secret.utf8)])
        _ = try eventually("the log tells of the stranger") {
            runner.process.process.errors.contains("Somebody was not let in.") ? true : nil
        }
    }

    private func expectSilence(of runner: KeyedRunner) throws {
        let log = runner.process.process.output + runner.process.process.errors
        #expect(!log.contains(Self.secret), "\(log)")
        for name in ["runner"] + Role.allCases.map(\.rawValue) {
            let path = "\(runner.files.path)/\(name).key"
            let key = try String(contentsOfFile: path, encoding: .utf8).dropLast()
            #expect(!log.contains(key))
        }
    }
}
