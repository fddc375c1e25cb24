internal import Glibc
internal import JobCore

/// Why the jobs directory cannot be used, or a step in it was not done.
enum SpoolError: Error, Equatable {
    /// A call of the system failed.
    case system(call: String, path: String, code: CInt)
    /// Somebody has the CSV open for writing that a file of jobs names.
    case beingWritten(path: String)
    /// Everybody may rename everybody's files in it.
    case worldWritable(path: String)
    /// A folder in it belongs to somebody else, or is none.
    case notOurs(path: String)

    var isMissing: Bool { code == ENOENT }
    var isTaken: Bool { code == EEXIST }

    private var code: CInt? {
        if case .system(_, _, let code) = self { code } else { nil }
    }
}

extension SpoolError: Explained {
    var summary: String {
        switch self {
        case .system(let call, let path, let code):
            "\(call) failed on \(path): \(String(cString: strerror(code)))."
        case .beingWritten(let path): "\(path) is still being written."
        case .worldWritable(let path):
            "The jobs directory \(path) may be written by everybody and has no sticky bit."
        case .notOurs(let path):
            "\(path) must be a directory that belongs to the runner's user."
        }
    }

    var hint: String? {
        switch self {
        case .system(_, _, ENOSPC), .system(_, _, EDQUOT): "Make room on the disk."
        case .system(_, _, EACCES), .system(_, _, EPERM), .system(_, _, EROFS):
            "Give the runner's user the right to write there."
        case .system: nil
        case .beingWritten: "Its job begins when the writer has closed it."
        case .worldWritable(let path): "Run chmod o-w \(path), or chmod +t \(path)."
        case .notOurs: "Move it away; the runner makes it anew."
        }
    }
}
