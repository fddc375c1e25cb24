internal import ArgumentParser
internal import JobClient
internal import JobCore

/// `millrace stats`: how the runner is.
struct StatisticsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Show how many jobs there are, how fast they go, and what is wrong.",
        discussion: """
            Examples:
              millrace stats
              millrace stats --json | jq .counts
            """
    )

    @Flag(help: "Print JSON for programs.")
    var json = false

    @OptionGroup var runner: RunnerOptions

    func run() throws {
        let statistics = try runner.client().statistics()
        guard !json else { return Console.print(statistics) }
        let color = Console.outHasColor
        for line in StatisticsPage.lines(statistics, now: .now, color: color) {
            Console.print(line)
        }
    }
}
