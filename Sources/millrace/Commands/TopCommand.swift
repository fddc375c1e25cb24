internal import ArgumentParser
internal import JobClient
internal import JobCore

/// `millrace top`: the runner as it works.
struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Watch queues, workers and what runs, and step in.",
        discussion: """
            Shows how many jobs there are, how fast they go, what each worker runs and for how \
            long, the queues, and the jobs that have failed last; drawn anew every second, or as \
            --every says. The arrow keys (or j and k) choose a line; p pauses the chosen queue and \
            r resumes it, c cancels the chosen job, t has a failed one run again, q quits. \
            Without a terminal, the same is printed once.

            Examples:
              millrace top
              millrace top --every 5s
              millrace top | head -20
            """
    )

    @Option(help: "How often it is drawn, from 100ms on.")
    var every = Pause.second

    @OptionGroup var runner: RunnerOptions

    func validate() throws {
        guard (100...3_600_000).contains(every.ms) else {
            throw ValidationError("--every must be 100ms to 1h.")
        }
    }

    func run() throws {
        // Who waits at a terminal would rather hear that there is no answer.
        var options = JobClient.Options()
        options.patience = .seconds(1)
        options.tries = 1
        let look = TopLook(client: try runner.client(options))
        var model = TopModel()
        model.show(try look.snapshot(at: .now))
        guard let screen = TopScreen() else {
            for line in TopPage(model)?.lines(color: Console.outHasColor) ?? [] {
                Console.print(line)
            }
            return
        }
        watch(look, &model, on: screen)
    }

    /// Until somebody quits, or the program is asked to end.
    private func watch(_ look: TopLook, _ model: inout TopModel, on screen: TopScreen) {
        var nextLook = ContinuousClock.now + every.duration
        while !screen.isOver {
            draw(model, on: screen)
            guard let key = screen.key(until: nextLook) else {
                refresh(look, &model)
                nextLook = ContinuousClock.now + every.duration
                continue
            }
            guard let action = model.hear(key) else { continue }
            if action == .quit { return }
            do {
                let sentence = try look.act(on: action)
                refresh(look, &model)
                model.tell(sentence)
            } catch {
                model.tell(printable(error.summary))
            }
        }
    }

    private func draw(_ model: TopModel, on screen: TopScreen) {
        let lines = TopPage(model)?.lines(in: screen.size, color: Console.outHasColor)
        screen.draw(lines ?? [])
    }

    /// What was seen last stays there when nobody answers.
    private func refresh(_ look: TopLook, _ model: inout TopModel) {
        do {
            model.show(try look.snapshot(at: .now))
        } catch {
            model.show(trouble: printable(error.summary))
        }
    }
}
