internal import ArgumentParser
internal import JobCore
internal import JobWire

/// `millrace wait ID…`: until all have ended.
struct WaitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait until jobs have ended.",
        discussion: """
            The exit code tells how: 0 when all succeeded, 1 when one failed, 4 when one was \
            cancelled, 5 when the time was over first.

            Examples:
              millrace wait 42
              millrace wait 3-9 --timeout 10m && echo all done
            """
    )

    @OptionGroup var arguments: JobArguments

    @Option(help: "How long to wait, such as 30s or 10m; for ever unless told.")
    var timeout: Pause?

    @Flag(help: "Print JSON for programs: an array of the jobs that have ended.")
    var json = false

    @OptionGroup var runner: RunnerOptions

    func run() throws {
        let client = try runner.client()
        let ids = try arguments.ids(asking: client)
        let ends = try Waiting(client: client).ends(of: ids, timeout: timeout?.duration)
        if json {
            Console.print(.array(ends))
        } else {
            Console.print(JobTables.ends(ends, of: ids))
        }
        let states = ends.compactMap { JobState(rawValue: $0.text("state")) }
        let open: [ExitCode] = ends.count < ids.count ? [.notEnded] : []
        throw ExitCode.worst(of: states.map { ExitCode(of: $0) } + open)
    }
}
