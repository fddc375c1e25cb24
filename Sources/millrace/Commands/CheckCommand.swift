internal import ArgumentParser
internal import JobCore
internal import JobRunner
internal import JobWire

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
        let settings = try Settings(reading: settings.sources)
        guard !files.isEmpty else { return Console.tell("The settings are good.") }
        try checkFiles(by: Runner.catalog(of: settings), settings.limits)
    }

    private func checkFiles(by catalog: Catalog, _ limits: Limits) throws {
        var isGood = true
        for file in files {
            do {
                let count = Int64(try JobFiles.check(file: file, by: catalog, limits))
                Console.tell("\(file): \(Words.count(count, "job")), nothing wrong.")
            } catch let error as any Explained {
                Console.tell(error)
                isGood = false
            }
        }
        if !isGood { throw ExitCode.failure }
    }
}
