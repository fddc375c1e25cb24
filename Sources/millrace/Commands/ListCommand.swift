internal import ArgumentParser
internal import JobClient
internal import JobCore
internal import JobWire

/// `millrace list`: jobs, newest first.
struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List jobs, newest first.",
        discussion: """
            Examples:
              millrace list
              millrace list --state failed --queue mail
              millrace list --json --limit 1000 | jq '.jobs[].id'
            """
    )

    @OptionGroup var filters: FilterOptions

    @Option(help: "How many jobs at most, up to 1000.")
    var limit = 50

    @Option(help: "Go on behind this job, the last one of the page before.")
    var after: Int64?

    @Flag(help: "Print JSON for programs: an object with jobs, and next when there are more.")
    var json = false

    @OptionGroup var runner: RunnerOptions

    func run() throws {
        let page = try runner.client().list(
            filters.filter,
            after: after.map(JobID.init(rawValue:)),
            limit: limit
        )
        guard !json else { return Console.print(page) }
        Console.print(JobTables.list(page["jobs"]?.arrayValue ?? [], now: .now))
        if let next = page["next"]?.integerValue { Console.tell("More: --after \(next)") }
    }
}
