internal import ArgumentParser
internal import JobClient
internal import JobCore

/// Jobs by what they have in common.
struct FilterOptions: ParsableArguments {
    @Option(
        help: "Only jobs in this state: queued, running, succeeded, failed or cancelled.",
        transform: { text in
            guard let state = JobState(rawValue: text) else {
                throw ValidationError("There is no state '\(text)'.")
            }
            return state
        }
    )
    var state: JobState?

    @Option(help: "Only jobs of this queue.", transform: queueName)
    var queue: QueueName?

    @Option(
        help: "Only jobs of this kind: sql, compute or command.",
        transform: { text in
            guard let kind = Spec.Kind(rawValue: text) else {
                throw ValidationError("There is no kind '\(text)'.")
            }
            return kind
        }
    )
    var kind: Spec.Kind?

    var filter: JobFilter { JobFilter(state: state, queue: queue, kind: kind) }
}

/// Jobs by number or by what they have in common, for commands that change them.
struct SelectionArguments: ParsableArguments {
    @Argument(help: "Numbers of jobs, ranges such as 3-9, or last for the newest.")
    var jobs: [JobName] = []

    @OptionGroup var filters: FilterOptions

    @Flag(help: "All jobs to which this can be done.")
    var all = false

    func validate() throws {
        let filter = filters.filter
        let ways = [!jobs.isEmpty, filter != JobFilter(), all].filter { $0 }.count
        guard ways == 1 else {
            throw ValidationError(
                "Name jobs, or choose some by their state, queue or kind, or --all."
            )
        }
    }

    /// One request each. A request must name jobs or say what they have in common, so that `--all`
    /// becomes one for each of `states`: those of jobs to which it can be done.
    func selections(_ states: [JobState], asking client: JobClient) throws -> [Selection] {
        if all { return states.map { .filter(JobFilter(state: $0)) } }
        guard !jobs.isEmpty else { return [.filter(filters.filter)] }
        return [.ids(try JobName.ids(of: jobs, newest: client.newestJob))]
    }
}

/// The transform of options and arguments that name a queue.
@Sendable func queueName(_ text: String) throws -> QueueName {
    guard let queue = QueueName(rawValue: text) else {
        throw ValidationError("A queue is named by letters, digits, '.', '_' and '-'.")
    }
    return queue
}
