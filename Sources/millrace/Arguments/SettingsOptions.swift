internal import ArgumentParser
internal import JobRunner

/// The flags that are stronger than the settings file and the environment.
struct SettingsOptions: ParsableArguments {
    @Option(help: "The settings file; millrace.yaml in the state directory when there is one.")
    var settings: String?

    @Option(help: "The directory of the store and the socket.")
    var state: String?

    @Option(help: "An endpoint to listen on. Can be given several times.")
    var listen: [String] = []

    @Option(help: "The directory where files with jobs are dropped.")
    var spool: String?

    @Option(help: "Worker threads; one for each core unless told.")
    var workers: Int?

    @Option(help: "A database for jobs, as NAME=PATH or NAME=PATH:write. Can be repeated.")
    var database: [String] = []

    /// All sources together.
    var sources: SettingsSources {
        var sources = Environment.settingsSources
        sources.flags.settingsFile = settings
        sources.flags.state = state
        sources.flags.listen = listen
        sources.flags.spool = spool
        sources.flags.workers = workers
        sources.flags.databases = database
        return sources
    }
}
