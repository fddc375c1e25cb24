internal import Glibc
public import JobCore

/// Settings for those who write none.
extension Settings {
    /// Those of a runner within a program: the defaults, with a worker for each core of this
    /// machine, all files in one directory, and no endpoint but the socket in it. So nobody but
    /// this user can ask the runner, and several programs do not meet.
    ///
    /// - Parameter directory: The state directory, which is made when it is missing. It begins at
    ///   the working directory unless it is absolute or begins with `~`.
    /// - Returns: Settings to be changed at will.
    public static func embedded(in directory: String) -> Settings {
        var settings = Settings(cores: sysconf(CInt(_SC_NPROCESSORS_ONLN)))
        settings.stateDirectory = directory
        settings.listen = ["ipc://run/millrace.sock"]
        return settings
    }
}
