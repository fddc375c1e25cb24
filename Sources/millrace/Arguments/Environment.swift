// Foundation reads `environ` safely; Swift sees that variable as shared and mutable.
internal import Foundation
internal import Glibc
internal import JobRunner

/// What the process was given: variables, directory, cores.
enum Environment {
    static let variables = ProcessInfo.processInfo.environment

    static subscript(name: String) -> String? { variables[name] }

    /// Everything that settings are read from, but the flags.
    static var settingsSources: SettingsSources {
        SettingsSources(
            environment: variables,
            workingDirectory: FileManager.default.currentDirectoryPath,
            cores: sysconf(CInt(_SC_NPROCESSORS_ONLN))
        )
    }
}
