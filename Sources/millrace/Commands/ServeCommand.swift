internal import ArgumentParser
internal import Glibc
internal import JobCore
internal import JobRunner
internal import Logging

/// `millrace serve`: runs the runner, under a supervisor that starts it again after a crash.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the job runner until it is told to stop.",
        discussion: """
            Takes jobs over ZeroMQ and from the spool directory, and keeps them and their results in
            the state directory. SIGTERM or Ctrl-C lets running jobs end for a while and stops; a
            second one stops at once. Nothing is lost either way.

            Examples:
              millrace serve
              millrace serve --database sales=/srv/sales.db --database log=/srv/log.db:write
              millrace serve --state /var/lib/millrace --listen tcp://127.0.0.1:5555 --workers 4
            """
    )

    @OptionGroup var options: SettingsOptions

    @Flag(help: "Run without the supervising parent, as under systemd.")
    var noSupervise = false

    @Option(help: .private)
    var lockDescriptor: Int32?

    func run() throws {
        let settings = try readSettings()
        let log = Logger(label: "millrace")
        if !noSupervise && lockDescriptor == nil {
            let arguments =
                CommandLine.arguments + ["--lock-descriptor", "\(Supervisor.lockDescriptor)"]
            let supervisor = Supervisor(
                stateDirectory: settings.stateDirectory,
                arguments: arguments,
                log: log
            )
            throw ExitCode(try supervisor.run())
        }
        if lockDescriptor != nil { dieWithSupervisor() }
        let runner = Runner(settings, log: log)
        let end = try runner.run(lock: lockDescriptor) { endpoints in
            print(
                "millrace takes jobs at \(endpoints.joined(separator: ", ")); "
                    + "spool \(settings.spoolDirectory); store \(settings.storePath)"
            )
            fflush(nil)
        }
        // A thread that was given up may still run: nothing may be torn down under it.
        fflush(nil)
        _exit(end == .startAgain ? RunnerExit.startAgain : RunnerExit.stopped)
    }

    /// Where they are wrong, the exit code tells that starting again would change nothing.
    private func readSettings() throws -> Settings {
        do throws(SettingsError) {
            return try Settings(reading: options.sources)
        } catch {
            Console.tell(error)
            throw ExitCode.wrongSettings
        }
    }
}
