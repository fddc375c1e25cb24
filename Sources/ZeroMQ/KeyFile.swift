internal import Glibc

/// Why a secret key's file cannot be used or made.
public enum KeyFileProblem: Error, Equatable, Sendable {
    case unreadable(String, errno: CInt)
    /// A directory, a pipe or a device.
    case noFile(String)
    /// Others than its owner may read or change it.
    case open(String, mode: UInt32)
    case malformed(String)
    case unwritable(String, errno: CInt)

    /// One sentence: what is wrong with which file.
    public var summary: String {
        switch self {
        case .unreadable(let path, let code):
            "The key file \(path) cannot be read: \(String(cString: strerror(code)))."
        case .noFile(let path): "The key file \(path) is no regular file."
        case .open(let path, let mode):
            "The key file \(path) has the mode \(String(mode, radix: 8)): others than its owner "
                + "can get at the secret key."
        case .malformed(let path): "The key file \(path) does not hold 40 characters of Z85."
        case .unwritable(let path, EEXIST): "There is a file \(path) already; it stays as it is."
        case .unwritable(let path, let code):
            "The key file \(path) cannot be written: \(String(cString: strerror(code)))."
        }
    }

    /// One sentence: what to do about it.
    public var hint: String? {
        switch self {
        case .unreadable, .noFile: "Name the file that `millrace keygen` has made."
        case .open(let path, _):
            "Run `chmod 600 \(path)`; if somebody may have seen the key, make a new one."
        case .malformed: "Make a new key with `millrace keygen`."
        case .unwritable(_, EEXIST): "Give another name or another --file."
        case .unwritable: nil
        }
    }
}

extension SecretKey {
    /// Reads a file of one line, the key, that nobody but its owner may read or change.
    public init(file path: String) throws(KeyFileProblem) {
        // A pipe must not keep us waiting for a writer.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw KeyFileProblem.unreadable(path, errno: errno) }
        defer { close(file) }
        var found = stat()
        guard fstat(file, &found) == 0 else { throw KeyFileProblem.unreadable(path, errno: errno) }
        guard found.st_mode & S_IFMT == S_IFREG else { throw KeyFileProblem.noFile(path) }
        guard found.st_mode & 0o077 == 0 else {
            throw KeyFileProblem.open(path, mode: found.st_mode & 0o7777)
        }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(file, &bytes, bytes.count)
        guard count >= 0 else { throw KeyFileProblem.unreadable(path, errno: errno) }
        guard count < bytes.count, let key = SecretKey(onlyLine(bytes.prefix(count))) else {
            throw KeyFileProblem.malformed(path)
        }
        self = key
    }

    /// Makes a file of mode 0600 with the key. What is there already is never touched.
    public func write(newFile path: String) throws(KeyFileProblem) {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .unwritable(path, errno: errno) }
        defer { close(file) }
        let line = Array((text + "\n").utf8)
        // The mask may have taken rights from the owner as well.
        guard fchmod(file, 0o600) == 0, Glibc.write(file, line, line.count) == line.count,
            fsync(file) == 0
        else {
            let code = errno
            unlink(path)
            throw .unwritable(path, errno: code)
        }
    }
}

private func onlyLine(_ bytes: some BidirectionalCollection<UInt8>) -> String {
    String(
        decoding: bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...],
        as: UTF8.self
    )
}
