internal import ArgumentParser
internal import Glibc
internal import JobClient

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

    func client() throws -> JobClient {
        try JobClient(
            endpoint: Self.endpoint(option: connect, Environment.variables) {
                access($0, F_OK) == 0
            }
        )
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
