internal import ArgumentParser
internal import JobRunner

/// Where the store is, for commands that need no runner.
struct StateOptions: ParsableArguments {
    @Option(help: "The directory of the store and the socket.")
    var state: String?

    @Option(help: "The settings file; millrace.yaml in the state directory when there is one.")
    var settings: String?

    var sources: SettingsSources {
        var sources = Environment.settingsSources
        sources.flags.settingsFile = settings
        sources.flags.state = state
        return sources
    }
}
