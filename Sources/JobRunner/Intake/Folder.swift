internal import CLinux
internal import Glibc

/// One open directory and the files directly in it. Everything goes through its descriptor, never
/// through a path that somebody could exchange meanwhile, and no symbolic link is ever followed.
///
/// It belongs to one thread.
final class Folder {
    /// Called with each call's name after it has succeeded. Tests stop the world here.
    typealias CallHook = (String) throws(SpoolError) -> Void

    /// For sentences only.
    let path: String
    let descriptor: CInt
    private let afterCall: CallHook

    init(path: String, afterCall: @escaping CallHook = { _ in }) throws(SpoolError) {
        self.path = path
        self.afterCall = afterCall
        descriptor = open(path, directoryFlags)
        guard descriptor >= 0 else {
            throw .system(call: "open", path: path, code: errno)
        }
    }

    private init(adopting descriptor: CInt, path: String, afterCall: @escaping CallHook) {
        self.descriptor = descriptor
        self.path = path
        self.afterCall = afterCall
    }

    deinit { close(descriptor) }

    /// The folder of that name in this one, made if need be.
    func folder(_ name: String) throws(SpoolError) -> Folder {
        do {
            // What everybody may write we would refuse ourselves, so no mask shall allow it.
            try call("mkdir", name) { mkdirat(descriptor, name, 0o775) }
            try sync()
        } catch  where error.isTaken {}
        let opened = try call("open", name) { openat(descriptor, name, directoryFlags) }
        return Folder(adopting: opened, path: path + "/" + name, afterCall: afterCall)
    }

    /// The mode and owner of the folder itself.
    func owner() throws(SpoolError) -> (mode: mode_t, user: uid_t) {
        var found = stat()
        try call("fstat", "") { fstat(descriptor, &found) }
        return (found.st_mode, found.st_uid)
    }

    /// Whether its path still leads to it.
    func isInPlace() throws(SpoolError) -> Bool {
        var own = stat()
        var found = stat()
        try call("fstat", "") { fstat(descriptor, &own) }
        do {
            try call("stat", "") { fstatat(AT_FDCWD, path, &found, AT_SYMLINK_NOFOLLOW) }
        } catch  where error.isMissing {
            return false
        }
        return own.st_dev == found.st_dev && own.st_ino == found.st_ino
    }

    /// What stands in it, dot names left out, in the order of the names.
    func list() throws(SpoolError) -> Listing {
        // A second description, because reading moves its position.
        let second = try call("open", ".") { openat(descriptor, ".", directoryFlags) }
        guard let stream = fdopendir(second) else {
            close(second)
            throw .system(call: "fdopendir", path: path, code: errno)
        }
        defer { closedir(stream) }
        var listing = Listing()
        while let entry = try next(in: stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) {
                    String(validatingCString: $0)
                }
            }
            if let name {
                if name.utf8.first != UInt8(ascii: ".") { listing.names.append(name) }
            } else {
                listing.unreadable += 1
            }
        }
        listing.names.sort()
        return listing
    }

    /// Nil at the end.
    private func next(
        in stream: OpaquePointer
    ) throws(SpoolError) -> UnsafeMutablePointer<dirent>? {
        errno = 0
        if let entry = readdir(stream) { return entry }
        guard errno == 0 else { throw .system(call: "readdir", path: path, code: errno) }
        return nil
    }

    struct Listing {
        var names: [String] = []
        /// Names that are not UTF-8.
        var unreadable = 0
    }

    /// Nil when there is no such name.
    func entry(_ name: String) throws(SpoolError) -> Entry? {
        var found = stat()
        do {
            try call("stat", name) { fstatat(descriptor, name, &found, AT_SYMLINK_NOFOLLOW) }
        } catch  where error.isMissing {
            return nil
        }
        return Entry(found)
    }

    /// Renames, but never over an existing file. What must be sure is synced by `sync`.
    func move(_ name: String, to folder: Folder, as other: String) throws(SpoolError) {
        try call("rename", name) {
            clinux_rename_noreplace(descriptor, name, folder.descriptor, other)
        }
    }

    /// Writes a whole file or nothing of it: under a dot name, synced, then renamed, also over an
    /// older file of that name. The new name is sure after `sync`.
    func write(_ name: String, _ bytes: [UInt8]) throws(SpoolError) {
        let hidden = "." + name
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC
        let file = OpenFile(try call("open", hidden) { openat(descriptor, hidden, flags, 0o664) })
        try write(bytes, to: file.descriptor, hidden)
        try call("fsync", hidden) { fsync(file.descriptor) }
        try call("rename", name) { renameat(descriptor, hidden, descriptor, name) }
    }

    /// Makes the names in it outlive a power cut. One call serves many steps.
    func sync() throws(SpoolError) {
        try call("fsync", "") { fsync(descriptor) }
    }

    /// Tries again when a signal came between.
    @discardableResult
    func call<Answer: SignedInteger>(
        _ call: String,
        _ name: String,
        _ body: () -> Answer
    ) throws(SpoolError) -> Answer {
        var answer = body()
        while answer < 0 && errno == EINTR { answer = body() }
        guard answer >= 0 else {
            let code = errno
            throw .system(call: call, path: name.isEmpty ? path : path + "/" + name, code: code)
        }
        try afterCall(call)
        return answer
    }
}

// MARK: Reading

extension Folder {
    /// What a name turned out to hold.
    enum Content: Equatable {
        case bytes([UInt8])
        case tooLarge(Int64)
        /// A link, a directory, a pipe or the like: it is not opened.
        case notRegular
        case missing
    }

    /// Reads a regular file of at most so many bytes.
    func read(_ name: String, atMost most: Int) throws(SpoolError) -> Content {
        guard let entry = try entry(name) else { return .missing }
        guard entry.kind == .regular else { return .notRegular }
        guard entry.size <= most else { return .tooLarge(entry.size) }
        let file = OpenFile(try call("open", name) { openat(descriptor, name, readingFlags) })
        var bytes = [UInt8](repeating: 0, count: Int(entry.size) + 1)
        var count = 0
        while true {
            let got = try call("read", name) {
                bytes.withUnsafeMutableBytes { buffer in
                    let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
                    return Glibc.read(file.descriptor, rest.baseAddress, rest.count)
                }
            }
            if got == 0 { break }
            count += got
            guard count <= most else { return .tooLarge(Int64(count)) }
            // It has grown since we looked.
            if count == bytes.count { bytes += [UInt8](repeating: 0, count: 64 << 10) }
        }
        bytes.removeLast(bytes.count - count)
        return .bytes(bytes)
    }

    /// True while somebody has the file open for writing. Nil where the file system cannot tell,
    /// and of another user's file, about which only a process with CAP_LEASE may ask.
    ///
    /// A lease that is broken sends a signal, which would end the process; SIGURG is ignored.
    func isBeingWritten(_ name: String) -> Bool? {
        let opened = openat(descriptor, name, readingFlags)
        guard opened >= 0 else { return nil }
        let file = OpenFile(opened)
        guard clinux_set_lease_signal(file.descriptor, SIGURG) == 0 else { return nil }
        if clinux_take_read_lease(file.descriptor) == 0 {
            _ = clinux_release_lease(file.descriptor)
            return false
        }
        return errno == EAGAIN ? true : nil
    }
}

/// What the system knows of a name.
struct Entry: Equatable {
    enum Kind {
        case regular, directory, other
    }

    var kind: Kind
    var size: Int64
    /// When the content changed last, in ns; only compared with itself.
    var changed: Int64

    init(kind: Kind, size: Int64, changed: Int64) {
        self.kind = kind
        self.size = size
        self.changed = changed
    }

    fileprivate init(_ found: stat) {
        kind =
            switch found.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            default: .other
            }
        size = Int64(found.st_size)
        let seconds = Int64(found.st_mtim.tv_sec)
        changed = seconds &* 1_000_000_000 &+ Int64(found.st_mtim.tv_nsec)
    }
}

/// A descriptor that is closed with its owner.
struct OpenFile: ~Copyable {
    let descriptor: CInt

    init(_ descriptor: CInt) { self.descriptor = descriptor }

    deinit { close(descriptor) }
}

private let directoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
/// Without waiting, should the name be a pipe by now.
let readingFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
