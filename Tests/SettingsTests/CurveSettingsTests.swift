import Foundation
import JobCore
import JobRunner
import JobTesting
import Testing
import ZeroMQ

/// Keys in the settings, and what is said when they cannot be used.
@Suite struct CurveSettingsTests {
    private let directory: TemporaryDirectory
    private let ada = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

    init() throws {
        directory = try TemporaryDirectory()
        try SecretKey().write(newFile: directory.path + "/runner.key")
    }

    private func sources(_ yaml: String) throws -> SettingsSources {
        var sources = SettingsSources(
            environment: ["MILLRACE_STATE": directory.path],
            workingDirectory: "/work",
            cores: 1
        )
        let file = directory.path + "/\(UUID().uuidString).yaml"
        try yaml.write(toFile: file, atomically: false, encoding: .utf8)
        sources.flags.settingsFile = file
        return sources
    }

    private func problems(_ yaml: String) throws -> [String] {
        let sources = try sources(yaml)
        do throws(SettingsError) {
            _ = try Settings(reading: sources)
            return []
        } catch {
            return error.problems.map {
                $0.replacingOccurrences(of: sources.flags.settingsFile ?? "", with: "FILE")
                    .replacingOccurrences(of: directory.path, with: "STATE")
            }
        }
    }

    @Test func `keys open tcp to the network`() throws {
        let settings = try Settings(
            reading: sources(
                """
                listen: ['tcp://*:5555', 'tcp://10.0.0.1:5555', 'ipc://a.sock']
                curve:
                  secret_key: runner.key
                  clients:
                    ada: {key: '\(ada)', role: admin}
                """
            )
        )
        let key = try #require(PublicKey(ada)).bytes
        let clients = ["ada": Settings.Client(publicKey: key, role: .admin)]
        let file = directory.path + "/runner.key"
        #expect(settings.curve == Settings.Curve(secretKeyFile: file, clients: clients))
    }

    @Test func `without keys an address of the network is refused in one sentence`() throws {
        #expect(
            try problems("listen: ['tcp://*:5555']") == [
                "listen: tcp://*:5555 is open to the network, which needs CURVE: make a key with "
                    + "`millrace keygen` and name its file as curve.secret_key."
            ]
        )
    }

    @Test func `every problem of the keys is told at once`() throws {
        chmod(directory.path + "/runner.key", 0o640)
        let yaml = """
            curve:
              secret_key: runner.key
              client: 1
              clients:
                a: {key: '\(ada)', role: root}
                b: {key: short, role: read}
                c: {role: read}
                d: {key: '\(ada)', role: read, colour: red}
                e: {key: '\(ada)', role: submit}
                'f g': {key: '\(String(repeating: "0", count: 40))', role: submit}
            """
        let found = try problems(yaml)
        #expect(
            found == [
                "FILE, line 3: there is no setting \"curve.client\".",
                "FILE, line 5: curve.clients.a: the role must be worker, read, submit, admin.",
                "FILE, line 6: curve.clients.b: the key is not 40 characters of Z85.",
                "FILE, line 7: curve.clients.c must have a key and a role.",
                "FILE, line 8: curve.clients.d has no setting \"colour\".",
                "The key file STATE/runner.key has the mode 640: others than its owner can get at "
                    + "the secret key.",
                "The clients d and e have the same key.",
                "The client name \"f g\" must be made of letters, digits, . _ and -.",
            ]
        )
    }

    @Test func `clients need a key of the runner, and the file must be there`() throws {
        let clients = "clients: {ada: {key: '\(ada)', role: read}}"
        #expect(
            try problems("curve: {\(clients)}") == [
                "curve.secret_key must name a file; make it with `millrace keygen`."
            ]
        )
        #expect(
            try problems("curve: {secret_key: no.key, \(clients)}") == [
                "The key file STATE/no.key cannot be read: No such file or directory."
            ]
        )
        #expect(try problems("curve:").isEmpty)
        #expect(try problems("curve: {secret_key: runner.key}").isEmpty)
    }
}
