internal import ArgumentParser
internal import JobClient

/// `millrace drain`: a stop that waits for what runs.
struct DrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Have the runner take no more jobs and stop when the running ones have ended.",
        discussion: """
            Jobs that wait stay in the store, and run after the next start.

            Example:
              millrace drain
            """
    )

    @OptionGroup var runner: RunnerOptions

    func run() throws {
        try runner.client().drain()
        Console.tell("The runner drains: it takes no more jobs and stops after the running ones.")
    }
}
