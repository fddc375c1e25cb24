internal import ArgumentParser
internal import Glibc
internal import JobClient
internal import ZeroMQ

/// Which runner a command talks to.
struct RunnerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The runner's endpoint, such as tcp://127.0.0.1:5555.",
            discussion: "Default: $MILLRACE_CONNECT, else the socket in $MILLRACE_STATE, else tcp.",
            valueName: "endpoint"
        )
    )
    var connect: String?

    @Option(
        help: ArgumentHelp(
            "The public key of a runner that asks for keys. Default: $MILLRACE_SERVER_KEY.",
            valueName: "key"
        )
    )
    var serverKey: String?

    @Option(
        help: ArgumentHelp(
            "The file of this client's secret key. Default: $MILLRACE_SECRET_KEY.",
            valueName: "file"
        )
    )
    var secretKey: String?

    func client(_ options: JobClient.Options = JobClient.Options()) throws -> JobClient {
        let endpoint = Self.endpoint(option: connect, Environment.variables) {
            access($0, F_OK) == 0
        }
        var options = options
        // A socket of this machine asks for none, so that they may stay in the environment.
        if endpoint.hasPrefix("tcp://") {
            options.keys = try Self.keys(
                server: serverKey,
                secret: secretKey,
                Environment.variables
            )
        }
        return try JobClient(endpoint: endpoint, options: options)
    }

    /// The options, else `MILLRACE_SERVER_KEY` and `MILLRACE_SECRET_KEY`; nil when there are none.
    static func keys(
        server: String?,
        secret: String?,
        _ variables: [String: String]
    ) throws -> SocketOptions.ClientKeys? {
        func given(_ option: String?, _ name: String) -> String? {
            (option ?? variables[name]).flatMap { $0.isEmpty ? nil : $0 }
        }
        switch (given(server, "MILLRACE_SERVER_KEY"), given(secret, "MILLRACE_SECRET_KEY")) {
        case (nil, nil): return nil
        case (let server?, let secret?):
            guard let serverKey = PublicKey(server) else {
                throw ValidationError("The server key is not 40 characters of Z85.")
            }
            return .init(secretKey: try SecretKey(file: secret), serverKey: serverKey)
        default:
            throw ValidationError("--server-key and --secret-key belong together: give both.")
        }
    }

    /// The option, else `MILLRACE_CONNECT`, else the state directory's socket when it exists, else
    /// the usual port.
    static func endpoint(
        option: String?,
        _ variables: [String: String],
        exists: (String) -> Bool
    ) -> String {
        func variable(_ name: String) -> String? {
            variables[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        if let given = option ?? variable("MILLRACE_CONNECT") { return given }
        let state =
            variable("MILLRACE_STATE")
            ?? variable("HOME").map { $0 + "/.local/state/millrace" }
        if let state {
            let socket = state + "/run/millrace.sock"
            if exists(socket) { return "ipc://" + socket }
        }
        return "tcp://127.0.0.1:5555"
    }
}
