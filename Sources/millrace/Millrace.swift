internal import ArgumentParser
internal import JobCore
internal import JobRunner

/// The command line of Millrace. Each command parses, calls and prints; what goes wrong ends here.
@main struct Millrace: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace",
        abstract: "Submit jobs to a runner, look at them, and fetch their results.",
        discussion: """
            Data goes to standard output, words for people to standard error. On a terminal \
            you get tables; elsewhere, lines with tabs, or JSON with --json, for programs.

            Jobs are named by their numbers: one or several, ranges such as 3-9, or last for the \
            newest.

            The runner is found by --connect, else $MILLRACE_CONNECT, else the socket in \
            $MILLRACE_STATE (~/.local/state/millrace), else tcp://127.0.0.1:5555.

            Exit codes: 0 done, 1 the job failed, 3 unknown job, 4 the job was cancelled, 5 it has \
            not ended, 64 wrong use, 65 the store is damaged, 69 no runner, 70 a fault of the \
            runner, 73 another runner has the state directory, 75 try again later, 78 wrong \
            settings.

            Examples:
              millrace submit --sql "select 6*7 as answer" --wait
              millrace submit --kernel primes --input '{"below":1000000}'
              millrace result last
            """,
        subcommands: [
            ServeCommand.self, SubmitCommand.self, CheckCommand.self, ShowCommand.self,
            ResultCommand.self,
            WaitCommand.self, ListCommand.self, CancelCommand.self, RetryCommand.self,
            DeleteCommand.self, StatisticsCommand.self, TopCommand.self, EventsCommand.self,
            QueueCommand.self, DrainCommand.self,
            KeygenCommand.self,
            BackupCommand.self, DoctorCommand.self, BenchCommand.self,
        ]
    )

    static func main() {
        Runner.computeIfAsked()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let error as any Explained {
            Console.tell(error)
            exit(withError: ExitCode(ending: error))
        } catch {
            exit(withError: error)
        }
    }
}
