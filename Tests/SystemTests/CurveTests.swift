import Foundation
import JobCore
import JobTesting
import JobWire
import Testing
import ZeroMQ

/// Who comes in through the built runner's door, from both sides of it.
@Suite struct CurveTests {
    @Test func `a key opens tcp, and the socket asks for none`() throws {
        let runner = try KeyedRunner()
        for client in [try runner.client(.admin), try Conversation(runner.process.ipc)] {
            let id = try client.submit(#"{"sql":"select 6*7"}"#)
            #expect(try client.result(id).text == #"{"columns":["6*7"],"rows":[[42]],"changes":0}"#)
        }
        try runner.process.killAll()
        try runner.process.restart()
        #expect(try runner.client(.admin).ask("job.show", #"{"id":1}"#).code == "200")
    }

    @Test func `without the right keys nothing gets through, and the runner stays well`() throws {
        let runner = try KeyedRunner()
        let stranger = try SecretKey()
        let wrong: [SocketOptions.ClientKeys?] = [
            nil, .init(secretKey: stranger, serverKey: runner.serverKey),
            .init(secretKey: try runner.keys(.admin).secretKey, serverKey: stranger.publicKey),
        ]
        let outside = try wrong.map { try Conversation(dealer: runner.process.tcp, keys: $0) }
        for client in outside { _ = try client.sayRaw(submission) }
        for client in outside { #expect(try client.hearIfAny(within: .seconds(1)) == nil) }
        let client = try runner.client(.admin)
        #expect(try client.ask("sys.stats")["counts"]?["queued"] == 0)
        #expect(try client.ask("sys.stats")["dropped"] == 0)
        #expect(try client.ask("job.list")["jobs"] == [])
        let errors = runner.process.process.errors
        #expect(errors.contains("Somebody was not let in."))
        #expect(errors.contains("the key shown from 127.0.0.1 is nobody's"))
    }

    private var submission: [[UInt8]] {
        [[], Array("MDPC01".utf8), Array("job.submit".utf8), Array(#"{"sql":"select 1"}"#.utf8)]
    }

    @Test func `garbage at the door harms nobody`() throws {
        let runner = try KeyedRunner()
        let client = try runner.client(.admin)
        let run = try client.run
        var random = SeededGenerator(seed: .random(in: 0...9_999))
        let start: [UInt8] = [0xFF] + Array(repeating: 0, count: 8) + [0x7F, 3, 0]
        for n in 0..<300 {
            let name = Array(n.isMultiple(of: 3) ? "NULL".utf8 : "CURVE".utf8)
            let rest = [UInt8](repeating: 0, count: 52 - name.count)
            // A command: flags, its length, and a name that CURVE knows.
            let hello: [UInt8] = [4, 200, 5] + Array("HELLO".utf8) + [1, 0]
            let noise = (0..<Int.random(in: 0...400, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let greeting = start + name + rest
            let bytes = [greeting, greeting + hello, [], Array(greeting.prefix(n % 64))][n % 4]
            try RawConnection(to: runner.process.port).say(bytes + noise)
        }
        #expect(try client.ask("sys.ping").code == "200")
        #expect(try runner.client(.read).ask("sys.ping").code == "200")
        #expect(try client.run == run)
    }

    @Test func `a runner that is open to the network does not start without keys`() throws {
        let directory = try TemporaryDirectory()
        let process = try ChildProcess(
            RunnerProcess.built("millrace"),
            ["serve", "--state", directory.path + "/s", "--listen", "tcp://0.0.0.0:*"],
            environment: RunnerProcess.environment,
            directory: directory.path
        )
        #expect(try process.waitForEnd() == 78)
        #expect(
            process.errors.contains("tcp://0.0.0.0:* is open to the network, which needs CURVE")
        )
        #expect(process.output == "")
    }

    // MARK: The command line

    private func millrace(
        _ arguments: [String],
        in directory: String,
        _ variables: [String: String] = [:]
    ) throws -> (code: Int32, output: String, errors: String) {
        let process = try ChildProcess(
            RunnerProcess.built("millrace"),
            arguments,
            environment: RunnerProcess.environment.merging(variables) { $1 },
            directory: directory
        )
        let code = try process.waitForEnd()
        return (code, process.output, process.errors)
    }

    @Test func `keys from keygen make a runner and a client`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path
        let made = try millrace(["keygen", "runner", "--file", path + "/runner.key"], in: path)
        #expect(made.code == 0)
        let ofServer = made.output.split(separator: "\n")
        try #require(ofServer.count == 2)
        let file = ["--file", path + "/ada.key"]
        let ada = try millrace(["keygen", "ada", "--role", "submit"] + file, in: path)
        let ofClient = ada.output.split(separator: "\n")
        try #require(ofClient.count == 2)
        #expect(ofClient[1] == "ada: {key: '\(ofClient[0])', role: submit}")
        for name in ["runner", "ada"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(path)/\(name).key")
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
        let again = try millrace(["keygen", "ada", "--role", "admin"] + file, in: path)
        #expect(again.code == 64)
        #expect(again.output == "")
        #expect(again.errors.contains("There is a file \(path)/ada.key already"))

        let yaml = "curve:\n  \(ofServer[1])\n  clients:\n    \(ofClient[1])\n"
        try yaml.write(toFile: path + "/a.yaml", atomically: false, encoding: .utf8)
        var options = RunnerProcess.Options()
        options.settings["SETTINGS"] = path + "/a.yaml"
        let runner = try RunnerProcess(options)
        let submit = ["submit", "--sql", "select 42", "--wait", "--connect", runner.tcp]
        let variables = [
            "MILLRACE_SERVER_KEY": String(ofServer[0]), "MILLRACE_SECRET_KEY": path + "/ada.key",
        ]
        #expect(try millrace(submit, in: path, variables).code == 0)
        let flags = ["--server-key", String(ofServer[0]), "--secret-key", path + "/ada.key"]
        #expect(try millrace(submit + flags, in: path).code == 0)
    }

    @Test func `a client that is not let in says what may be wrong`() throws {
        let runner = try KeyedRunner()
        let ping = ["stats", "--connect", runner.process.tcp]
        let bare = try millrace(ping, in: runner.files.path)
        #expect(bare.code == 69)
        #expect(bare.errors.contains("If it asks for keys, give --server-key and --secret-key."))

        try SecretKey().write(newFile: runner.files.path + "/stranger.key")
        for (key, file) in [
            (runner.serverKey, runner.files.path + "/stranger.key"),
            (try SecretKey().publicKey, runner.keyFile(.admin)),
        ] {
            let flags = ["--server-key", key.text, "--secret-key", file]
            let said = try millrace(ping + flags, in: runner.files.path)
            #expect(said.code == 69)
            #expect(
                said.errors.contains("the server key may be wrong, or this client's key is not")
            )
        }
        chmod(runner.keyFile(.admin), 0o604)
        let flags = ["--server-key", runner.serverKey.text, "--secret-key", runner.keyFile(.admin)]
        let open = try millrace(ping + flags, in: runner.files.path)
        #expect(open.code == 64)
        #expect(open.errors.contains("has the mode 604"))
    }
}
