internal import ArgumentParser
internal import JobClient
internal import JobCore
internal import JobWire

/// `millrace queue`: the lanes of jobs.
struct QueueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "List queues, pause them and resume them.",
        discussion: """
            Examples:
              millrace queue
              millrace queue pause mail
              millrace queue resume --all
            """,
        subcommands: [ListQueues.self, PauseQueue.self, ResumeQueue.self],
        defaultSubcommand: ListQueues.self
    )
}

/// `millrace queue list`.
struct ListQueues: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the queues and how many jobs they hold.",
        discussion: "Example:\n  millrace queue list --json"
    )

    @Flag(help: "Print JSON for programs: an array.")
    var json = false

    @OptionGroup var runner: RunnerOptions

    func run() throws {
        let queues = try runner.client().queues()
        if json {
            Console.print(.array(queues))
        } else {
            Console.print(JobTables.queues(queues))
        }
    }
}

/// `millrace queue pause`.
struct PauseQueue: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Start no more jobs of a queue; running ones go on.",
        discussion: "A restart of the runner does not resume it.\n\n"
            + "Example:\n  millrace queue pause mail"
    )

    @OptionGroup var choice: QueueChoice
    @OptionGroup var runner: RunnerOptions

    func run() throws {
        try runner.client().pause(choice.queue)
        Console.tell("\(choice.words) paused.")
    }
}

/// `millrace queue resume`.
struct ResumeQueue: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Start jobs of a paused queue again.",
        discussion: "Example:\n  millrace queue resume mail"
    )

    @OptionGroup var choice: QueueChoice
    @OptionGroup var runner: RunnerOptions

    func run() throws {
        try runner.client().resume(choice.queue)
        Console.tell("\(choice.words) resumed.")
    }
}

/// One queue, or all of them.
struct QueueChoice: ParsableArguments {
    @Argument(help: "The queue's name.", transform: queueName)
    var queue: QueueName?

    @Flag(help: "All queues.")
    var all = false

    var words: String { queue.map { "The queue \($0.rawValue) is" } ?? "All queues are" }

    func validate() throws {
        guard (queue == nil) == all else { throw ValidationError("Name a queue, or --all.") }
    }
}
