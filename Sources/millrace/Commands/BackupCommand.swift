internal import ArgumentParser
internal import JobCore
internal import JobRunner
internal import JobWire

/// `millrace backup`: a copy of the store in one file, while the runner works.
struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the store into one file, while the runner works.",
        discussion: """
            The copy is as of one moment and was looked through when the command ends well. It has
            all jobs and results. An existing file is never replaced.

            To restore: stop the runner, put the file as millrace.db into an empty directory, and
            start a runner with that directory as its --state. Never run the old store and the
            restored one beside each other.

            Examples:
              millrace backup /backup/millrace-2026-11-21.db
              millrace backup --state /var/lib/millrace nightly.db --json
            """
    )

    @Argument(help: "The file to make.")
    var file: String

    @OptionGroup(title: "Settings") var place: StateOptions

    @Flag(help: "Print JSON for programs.")
    var json = false

    func run() throws {
        let settings = try Settings(reading: place.sources)
        let stop = StopSignals()
        defer { Console.draw("") }
        let backup = try Backup(of: settings, in: file) { stage in
            Console.draw(
                "\(Words.bytes(stage.writtenBytes)) of about \(Words.bytes(stage.ofBytes))"
            )
            return !stop.isPending
        }
        Console.draw("")
        if json {
            let made: JSON = [
                "file": .string(file), "jobs": .integer(backup.jobs),
                "bytes": .integer(backup.bytes),
            ]
            Console.print(made)
        } else {
            let count = Words.count(backup.jobs, "job")
            Console.print("\(printable(file)): \(count) in \(Words.bytes(backup.bytes))")
        }
    }
}
