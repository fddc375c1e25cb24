internal import Configuration
internal import Glibc
public import JobCore
internal import ZeroMQ

/// Puts the sources of the settings on top of each other, and turns texts into values.
extension Settings {
    /// Reads the settings of this start.
    ///
    /// - Throws: All problems of all sources at once.
    public init(reading sources: SettingsSources) throws(SettingsError) {
        var reader = SettingsReader(sources)
        let settings = reader.settings()
        let problems =
            reader.problems + settings.problems() + settings.problems(beside: .standard)
        guard problems.isEmpty else { throw SettingsError(problems: problems) }
        self = settings
    }
}

/// Puts the sources on top of each other and turns texts into values, noting what is wrong.
private struct SettingsReader {
    private let sources: SettingsSources
    private let file: SettingsFile
    private let values: ConfigReader
    private(set) var problems: [String]

    init(_ sources: SettingsSources) {
        self.sources = sources
        let environment = EnvironmentVariablesProvider(
            environmentVariables: sources.environment
        )
        let flags = InMemoryProvider(
            name: "flags",
            values: sources.flags.values(in: sources.workingDirectory)
        )
        // Where the file is, only a flag or the environment can say.
        let place = ConfigReader(providers: [flags, environment])
        (file, problems) = Self.readFile(sources, place)
        values = ConfigReader(providers: [
            flags, environment, InMemoryProvider(name: "file", values: file.values),
        ])
    }

    mutating func settings() -> Settings {
        var settings = Settings(cores: sources.cores)
        settings.stateDirectory = text("state") ?? settings.stateDirectory
        settings.listen = list("listen") ?? settings.listen
        settings.events = list("events") ?? settings.events
        settings.workerListen = list("worker_listen") ?? settings.workerListen
        settings.externalKernels = list("external_kernels") ?? settings.externalKernels
        settings.spoolDirectory = text("spool") ?? settings.spoolDirectory
        if text("workers") != "auto" {
            settings.workers = Int(clamping: integer("workers") ?? Int64(settings.workers))
        }
        settings.express = bool("express") ?? settings.express
        settings.nice = Int(clamping: integer("nice") ?? Int64(settings.nice))
        settings.drainMs = integer("drain_ms") ?? settings.drainMs
        settings.stuckMs = integer("stuck_ms") ?? settings.stuckMs
        settings.retention.succeededMs =
            integer("keep_succeeded_ms") ?? settings.retention.succeededMs
        settings.retention.failedMs = integer("keep_failed_ms") ?? settings.retention.failedMs
        settings.kernelProcesses = bool("kernel_processes") ?? settings.kernelProcesses
        settings.kernelMemoryBytes = integer("kernel_memory_bytes") ?? settings.kernelMemoryBytes
        settings.commandMemoryBytes =
            integer("command_memory_bytes") ?? settings.commandMemoryBytes
        for limit in Limits.settable {
            // Out of range is told by `problems()`; the fields are as wide as Int64 here.
            if let value = integer("limits.\(limit.name)") { limit.set(&settings.limits, value) }
        }
        settings.databases = databases()
        settings.commands = Programs(commands())
        settings.curve = curve
        settings = settings.placed(
            home: sources.environment["HOME"] ?? "",
            in: sources.workingDirectory
        )
        if let path = settings.curve?.secretKeyFile, !path.isEmpty { checkKey(path) }
        return settings
    }

    private var curve: Settings.Curve? {
        let path = text("curve.secret_key")
        guard path != nil || !file.clients.isEmpty else { return nil }
        return Settings.Curve(secretKeyFile: path ?? "", clients: file.clients)
    }

    private mutating func checkKey(_ path: String) {
        do throws(KeyFileProblem) {
            _ = try SecretKey(file: path)
        } catch {
            problems.append(error.summary)
        }
    }

    /// A database of a later source takes the place of its namesake; the others stay.
    private mutating func databases() -> [String: Settings.Database] {
        var found = file.databases
        let variable = sources.environment["MILLRACE_DATABASES"] ?? ""
        let directory = sources.workingDirectory
        for text in variable.listed { add(text, to: &found) }
        for text in sources.flags.databases {
            add(text, to: &found) { $0.onCommandLine(in: directory) }
        }
        return found
    }

    /// Reads `NAME=PATH` or `NAME=PATH:write`.
    private mutating func add(
        _ text: String,
        to databases: inout [String: Settings.Database],
        place: (String) -> String = { $0 }
    ) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[1].isEmpty else {
            return problems.append("\"\(text)\" must be written as NAME=PATH or NAME=PATH:write.")
        }
        let writes = parts[1].hasSuffix(":write")
        let path = String(parts[1].dropLast(writes ? ":write".count : 0))
        databases[String(parts[0])] = Settings.Database(path: place(path), allowsWriting: writes)
    }

    /// A program of the environment takes the place of its namesake.
    private mutating func commands() -> [String: String] {
        var found = file.commands
        for text in (sources.environment["MILLRACE_COMMANDS"] ?? "").listed {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, !parts[1].isEmpty {
                found[String(parts[0])] = String(parts[1])
            } else {
                problems.append("\"\(text)\" must be written as NAME=PATH.")
            }
        }
        return found
    }

    private func text(_ name: String) -> String? { values.string(forKey: settingKey(name)) }

    private func list(_ name: String) -> [String]? { values.stringArray(forKey: settingKey(name)) }

    private mutating func bool(_ name: String) -> Bool? {
        guard let text = text(name) else { return nil }
        if let value = Bool(text) { return value }
        problems.append("\(name) must be true or false, not \"\(text)\".")
        return nil
    }

    private mutating func integer(_ name: String) -> Int64? {
        guard let text = text(name) else { return nil }
        if let value = Int64(text) { return value }
        problems.append("\(name) must be an integer, not \"\(text)\".")
        return nil
    }
}

extension SettingsReader {
    /// Larger files hold no settings.
    private static let fileBytes = 1 << 20

    private static func readFile(
        _ sources: SettingsSources,
        _ place: ConfigReader
    ) -> (SettingsFile, [String]) {
        let named = place.string(forKey: settingKey("settings"))
        let state = place.string(forKey: settingKey("state")) ?? Settings(cores: 1).stateDirectory
        let path = (named ?? state + "/millrace.yaml")
            .inHome(sources.environment["HOME"] ?? "").below(sources.workingDirectory)
        guard let opened = fopen(path, "r") else {
            let isMissing = errno == ENOENT
            let why = String(cString: strerror(errno))
            return (
                SettingsFile(),
                named == nil && isMissing ? [] : ["\(path) cannot be read: \(why)."]
            )
        }
        defer { fclose(opened) }
        var bytes = [UInt8](repeating: 0, count: fileBytes + 1)
        let count = fread(&bytes, 1, bytes.count, opened)
        guard ferror(opened) == 0, count <= fileBytes,
            let yaml = String(validating: bytes.prefix(count), as: UTF8.self)
        else { return (SettingsFile(), ["\(path) is no UTF-8 text of at most 1 MiB."]) }
        let file = SettingsFile(parsing: yaml, path: path)
        return (file, file.problems)
    }
}

/// The key of a setting: `limits.waits` is also `MILLRACE_LIMITS_WAITS`.
private func settingKey(_ name: String) -> ConfigKey {
    ConfigKey(["millrace"] + name.split(separator: ".").map(String.init))
}

extension SettingsSources.Flags {
    /// The flags as settings; a path on the command line begins in the working directory.
    fileprivate func values(in directory: String) -> [AbsoluteConfigKey: ConfigValue] {
        var found: [AbsoluteConfigKey: ConfigValue] = [:]
        func add(_ name: String, _ content: ConfigContent?) {
            if let content {
                found[AbsoluteConfigKey(settingKey(name))] = ConfigValue(content, isSecret: false)
            }
        }
        add("settings", settingsFile.map(ConfigContent.string))
        add("state", state.map(ConfigContent.string))
        let endpoints = listen.map { endpoint in
            guard endpoint.hasPrefix("ipc://"), endpoint != "ipc://" else { return endpoint }
            return "ipc://" + String(endpoint.dropFirst(6)).onCommandLine(in: directory)
        }
        add("listen", listen.isEmpty ? nil : .stringArray(endpoints))
        add("spool", spool.map { .string($0.onCommandLine(in: directory)) })
        add("workers", workers.map { .string(String($0)) })
        return found
    }
}

extension SettingsFile {
    fileprivate var values: [AbsoluteConfigKey: ConfigValue] {
        var found: [AbsoluteConfigKey: ConfigValue] = [:]
        for (name, text) in texts {
            found[AbsoluteConfigKey(settingKey(name))] = ConfigValue(.string(text), isSecret: false)
        }
        for (name, list) in lists {
            found[AbsoluteConfigKey(settingKey(name))] =
                ConfigValue(.stringArray(list), isSecret: false)
        }
        return found
    }
}

extension String {
    /// A path as a shell's user means it.
    fileprivate func onCommandLine(in directory: String) -> String {
        hasPrefix("~") ? self : below(directory)
    }

    /// What stands between its commas.
    fileprivate var listed: [String] { split(separator: ",").map { String($0).trimmed } }

    fileprivate var trimmed: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
