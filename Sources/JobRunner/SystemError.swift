internal import Glibc
public import JobCore

/// A call into the operating system failed.
public struct SystemError: Error, Equatable, Sendable {
    /// `errno` of the call.
    public let code: CInt
    /// What was tried, as an infinitive: "open /tmp/millrace.db".
    public let action: String

    static func last(_ action: String) -> SystemError { SystemError(code: errno, action: action) }
}

extension SystemError: Explained {
    public var summary: String { "Cannot \(action): \(String(cString: strerror(code)))." }

    public var hint: String? {
        switch code {
        case EACCES, EPERM: "Look at the owner and the permissions of the file and its directory."
        case ENOSPC, EDQUOT: "Make room on the disk."
        default: nil
        }
    }
}
