internal import ArgumentParser
internal import JobCore
internal import JobRunner

/// `millrace check`: what would be wrong, without doing anything.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check files with jobs, or the settings, and submit nothing.",
        discussion: """
            All problems are told at once; the exit code is 1 when there are any.

            Examples:
              millrace check
              millrace check --settings /etc/millrace.yaml
              millrace check report.sql nightly.yaml
            """
    )

    @Argument(help: "Files with jobs; the settings are checked when there are none.")
    var files: [String] = []

    @OptionGroup(title: "Settings") var settings: SettingsOptions

    func run() throws {
        guard files.isEmpty else { return try checkFiles() }
        _ = try Settings(reading: settings.sources)
        Console.tell("The settings are good.")
    }

    private func checkFiles() throws {
        var isGood = true
        for file in files {
            do {
                let count = Int64(try JobFiles.jobs(inFile: file).count)
                Console.tell("\(file): \(Words.count(count, "job")), nothing wrong.")
            } catch let error as any Explained {
                Console.tell(error)
                isGood = false
            }
        }
        if !isGood { throw ExitCode.failure }
    }
}
