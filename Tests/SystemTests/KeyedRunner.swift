import Foundation
import JobCore
import JobTesting
import ZeroMQ

/// A runner that asks tcp clients for keys, and a client of each role, named like it.
final class KeyedRunner {
    /// Keys and settings.
    let files: TemporaryDirectory
    let process: RunnerProcess
    let serverKey: PublicKey
    private let secrets: [Role: SecretKey]

    init(_ given: RunnerProcess.Options = RunnerProcess.Options()) throws {
        files = try TemporaryDirectory()
        let server = try SecretKey()
        try server.write(newFile: files.path + "/runner.key")
        serverKey = server.publicKey
        var secrets: [Role: SecretKey] = [:]
        var yaml = "curve:\n  secret_key: \(files.path)/runner.key\n  clients:\n"
        for role in Role.allCases {
            let secret = try SecretKey()
            try secret.write(newFile: "\(files.path)/\(role).key")
            yaml += "    \(role): {key: '\(secret.publicKey.text)', role: \(role)}\n"
            secrets[role] = secret
        }
        self.secrets = secrets
        try yaml.write(toFile: files.path + "/a.yaml", atomically: false, encoding: .utf8)
        var options = given
        options.settings["SETTINGS"] = files.path + "/a.yaml"
        process = try RunnerProcess(options)
    }

    func keyFile(_ role: Role) -> String { "\(files.path)/\(role).key" }

    func keys(_ role: Role) throws -> SocketOptions.ClientKeys {
        guard let secret = secrets[role] else { throw NeverHappened("\(role) has a key") }
        return .init(secretKey: secret, serverKey: serverKey)
    }

    /// One question at a time, over tcp.
    func client(_ role: Role) throws -> Conversation {
        try Conversation(process.tcp, keys: keys(role))
    }
}
