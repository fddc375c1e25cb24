/// Where the settings of this start come from: default < file < environment < flag.
public struct SettingsSources: Sendable {
    /// What stands on the command line. Relative paths begin at the working directory.
    public var flags = Flags()
    /// The variables of this process. `MILLRACE_WORKERS`, `MILLRACE_LIMITS_RESULT_BYTES` and so on
    /// are settings; lists are separated by commas.
    public var environment: [String: String]
    public var workingDirectory: String
    public var cores: Int

    public init(environment: [String: String], workingDirectory: String, cores: Int) {
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.cores = cores
    }

    /// Flags of `millrace serve` and `millrace check`; what was not given is nil or empty.
    public struct Flags: Equatable, Sendable {
        public var settingsFile: String?
        public var state: String?
        public var listen: [String] = []
        public var spool: String?
        public var workers: Int?
        /// `NAME=PATH`, `NAME=PATH:write`.
        public var databases: [String] = []

        public init() {}
    }
}
