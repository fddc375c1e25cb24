internal import ArgumentParser
internal import JobClient
internal import JobCore
internal import JobRunner
internal import ZeroMQ

/// `millrace keygen NAME`: a key for a runner or for one of its clients.
struct KeygenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen",
        abstract: "Make a key for a runner that is open to the network, or for one of its clients.",
        discussion: """
            Writes the secret key to a new file of mode 0600, NAME.key, and never over another. \
            Prints the public key, and below it the line for the settings of the runner. A secret \
            key stays where it was made; only public keys travel.

            Examples:
              millrace keygen runner --file /etc/millrace/runner.key
              millrace keygen ada --role submit
            """
    )

    @Argument(help: "Whose key it is: the name of the file, and of the client in the settings.")
    var name: String

    @Option(
        help: "What the client may do: read, submit or admin. Left out for a runner's key.",
        transform: { word in
            guard let role = Role(rawValue: word) else {
                throw ValidationError("The role must be read, submit or admin, not \(word).")
            }
            return role
        }
    )
    var role: Role?

    @Option(help: "The file for the secret key, in place of NAME.key.")
    var file: String?

    func validate() throws {
        guard QueueName(rawValue: name) != nil else {
            throw ValidationError("The name must be made of letters, digits, . _ and -.")
        }
    }

    func run() throws {
        let path = file ?? name + ".key"
        let directory = Environment.settingsSources.workingDirectory
        let wholePath = path.hasPrefix("/") ? path : directory + "/" + path
        let key = try SecretKey()
        try key.write(newFile: path)
        let publicKey = key.publicKey.text
        Console.print(publicKey)
        if let role {
            // Z85 has no quotes, so the key needs no escapes in YAML.
            Console.print("\(name): {key: '\(publicKey)', role: \(role.rawValue)}")
            Console.tell("The secret key is in \(path). The second line belongs to curve.clients.")
        } else {
            Console.print("secret_key: \(wholePath)")
            Console.tell("The secret key is in \(path). The second line belongs to curve.")
        }
    }
}
