internal import ArgumentParser
internal import JobWire

/// `millrace result ID…`: what jobs made.
struct ResultCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "result",
        abstract: "Print the results of jobs.",
        discussion: """
            The bytes of a result go to standard output as the job made them. On a terminal the \
            JSON of an SQL job becomes a table, unless --json is given.

            Examples:
              millrace result 42
              millrace result last --wait 10m
              millrace result 3-9 --output all.jsonl
              millrace result 42 | jq .rows
            """
    )

    @OptionGroup var arguments: JobArguments

    @Option(help: "How long to wait for the end, such as 30s or 10m; not at all unless told.")
    var wait = Pause.none

    @Option(name: .shortAndLong, help: "A file to be written instead of standard output.")
    var output: String?

    @Flag(help: "The bytes as they are, on a terminal too.")
    var json = false

    @Flag(help: "A table where the result can be one, in a pipe too.")
    var table = false

    @OptionGroup var runner: RunnerOptions

    func run() throws {
        let client = try runner.client()
        let ids = try arguments.ids(asking: client)
        let printer = ResultPrinter(raw: json, table: table, output: output)
        throw try Waiting(client: client).results(of: ids, timeout: wait.duration, to: printer)
    }
}
