internal import ArgumentParser
internal import JobClient
internal import JobCore
internal import JobWire

/// `millrace events`: what happens to jobs and queues, as it happens.
struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Wait for what happens to jobs and queues, and print it.",
        discussion: """
            One event is waited for and printed, or with --follow all of them, until Ctrl-C. A \
            filter is the number of a job, the last word of a topic (queued, running, progress, \
            succeeded, failed, cancelled, paused, resumed), or its beginning, such as queue.mail; \
            of several, each counts. Events are told as they happen and kept nowhere: what came \
            before is in `millrace list` and `millrace show`. Runs that are over in a moment are \
            not seen running.

            Examples:
              millrace events --follow
              millrace events --follow failed cancelled
              millrace events --timeout 10m 42 && millrace show 42
              millrace events --follow --json queue.mail | jq .paused
            """
    )

    @Argument(help: "Which events; all unless told.")
    var filter: [EventFilter] = []

    @Flag(help: "Go on after the first event.")
    var follow = false

    @Option(help: "How long to wait for an event, such as 30s or 10m; for ever unless told.")
    var timeout: Pause?

    @Flag(help: "Print JSON for programs: an object a line, with its topic.")
    var json = false

    @OptionGroup var runner: RunnerOptions

    func run() throws {
        let topics = filter.isEmpty ? [""] : filter.map(\.subscription)
        let stream = try runner.client().events(topics)
        var gaps = EventGaps()
        repeat {
            guard let event = try next(of: stream, noting: &gaps) else {
                throw ExitCode.notEnded
            }
            show(event)
        } while follow
    }

    /// The next event that the filter is for; nil when none came in time.
    private func next(
        of stream: EventStream,
        noting gaps: inout EventGaps
    ) throws -> EventStream.Event? {
        let end = timeout.map { ContinuousClock.now + $0.duration }
        while true {
            let rest = end.map { ContinuousClock.now.duration(to: $0) }
            guard let event = try stream.next(within: rest) else { return nil }
            if hearsAll, let missed = gaps.hear(event.body) {
                Console.tell("\(Words.count(missed, "event")) came too fast to be heard.")
            }
            if filter.isEmpty || filter.contains(where: { $0.fits(event.topic) }) { return event }
        }
    }

    /// Only who hears everything can tell that something is missing.
    private var hearsAll: Bool {
        filter.isEmpty || filter.contains { $0.subscription.isEmpty }
    }

    private func show(_ event: EventStream.Event) {
        if json {
            var object = JSONObject()
            _ = object.append("topic", .string(event.topic))
            for member in event.body.objectValue?.members ?? [] {
                _ = object.append(member.key, member.value)
            }
            Console.write(JSON.object(object).encoded() + [UInt8(ascii: "\n")])
        } else {
            let line = EventLine(event)
            Console.print(
                Console.outIsTerminal ? line.line(color: Console.outHasColor) : line.tabbed
            )
        }
    }
}

/// Notices that events are missing, by their numbers.
struct EventGaps {
    private var run: Int64?
    private var last: Int64 = 0

    /// - Returns: How many are missing before this one, if any are.
    mutating func hear(_ event: JSON) -> Int64? {
        guard let run = event["run"]?.integerValue, let number = event["seq"]?.integerValue else {
            return nil
        }
        defer { (self.run, last) = (run, number) }
        let (missed, overflowed) = number.subtractingReportingOverflow(last)
        guard self.run == run, !overflowed, missed > 1 else { return nil }
        return missed - 1
    }
}
