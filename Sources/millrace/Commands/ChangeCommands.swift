internal import ArgumentParser
internal import JobClient
internal import JobCore
internal import JobWire

/// `millrace cancel`: calls jobs off.
struct CancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancel jobs that have not ended.",
        discussion: """
            A job that runs is asked to stop; whether its writing won is for its end to say.

            Examples:
              millrace cancel 42
              millrace cancel --queue mail --state queued
            """
    )

    @OptionGroup var arguments: SelectionArguments
    @Flag(help: "Print JSON for programs.") var json = false
    @OptionGroup var runner: RunnerOptions

    func run() throws {
        let client = try runner.client()
        let count = try arguments.selections([.queued, .running], asking: client)
            .reduce(0) { try $0 + client.cancel($1) }
        tell(count, "cancelled", json: json)
    }
}

/// `millrace retry`: runs jobs again.
struct RetryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Run jobs again that failed or were cancelled.",
        discussion: """
            Examples:
              millrace retry last
              millrace retry --state failed --queue mail
            """
    )

    @OptionGroup var arguments: SelectionArguments
    @Flag(help: "Print JSON for programs.") var json = false
    @OptionGroup var runner: RunnerOptions

    func run() throws {
        let client = try runner.client()
        let count = try arguments.selections([.failed, .cancelled], asking: client)
            .reduce(0) { try $0 + client.retry($1) }
        tell(count, "queued again", json: json)
    }
}

/// `millrace delete`: forgets jobs.
struct DeleteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete jobs that have ended, with their results.",
        discussion: """
            Examples:
              millrace delete 3-9
              millrace delete --state succeeded
            """
    )

    @OptionGroup var arguments: SelectionArguments
    @Flag(help: "Print JSON for programs.") var json = false
    @OptionGroup var runner: RunnerOptions

    func run() throws {
        let client = try runner.client()
        let count = try arguments.selections([.succeeded, .failed, .cancelled], asking: client)
            .reduce(0) { try $0 + client.delete($1) }
        tell(count, "deleted", json: json)
    }
}

/// How many jobs a command changed.
private func tell(_ count: Int64, _ done: String, json: Bool) {
    if json {
        Console.print(["count": .integer(count)])
    } else {
        Console.tell("\(Words.count(count, "job")) \(done).")
    }
}
