internal import CLinux
internal import Glibc
public import JobCore
internal import JobStorage

/// A backup of a store in a file of its own, made while the runner works; it only reads the store.
///
/// The file appears whole or not at all: it is written beside its place under another name, synced
/// and then renamed, never over an existing file.
public struct Backup: Equatable, Sendable {
    /// Children are counted with their parents.
    public let jobs: Int64
    public let bytes: Int64

    /// How far the making of a backup is, roughly.
    public struct Stage: Equatable, Sendable {
        public let writtenBytes: Int64
        /// Of the original; the copy has no free pages and may be smaller.
        public let ofBytes: Int64
    }

    /// Backs up the store of these settings.
    ///
    /// - Parameters:
    ///   - settings: Those of the runner.
    ///   - file: Where the backup shall be.
    ///   - mayGoOn: Told now and then how far it is; false gives up and leaves nothing.
    /// - Throws: `BackupError`, or what is wrong with the store or the system.
    public init(
        of settings: Settings,
        in file: String,
        mayGoOn: @escaping (Stage) -> Bool = { _ in true }
    ) throws {
        signal(SIGXFSZ, SIG_IGN)  // A limit on the size of files shall be an error, not the end.
        let store = settings.storePath
        guard access(store, F_OK) == 0 else { throw BackupError.noStore(store) }
        guard Self.size(of: file) == nil else { throw BackupError.exists(file) }

        let slash = file.lastIndex(of: "/")
        let directory = slash.map { String(file[...$0]) } ?? "./"
        let name = slash.map { file[$0...].dropFirst() } ?? file[...]
        let draft = "\(directory).\(name).\(getpid()).partial"
        let opened = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard opened >= 0 else { throw SystemError.last("make \(draft)") }
        defer {
            close(opened)
            unlink(draft)
        }
        let total = Self.size(of: store) ?? 0
        var wasStopped = false
        do throws(StoreError) {
            jobs = try StoreCopy(of: store, in: draft) {
                let stage = Stage(writtenBytes: Self.size(of: draft) ?? 0, ofBytes: total)
                wasStopped = wasStopped || !mayGoOn(stage)
                return !wasStopped
            }.jobs
        } catch {
            if case .full = error { throw BackupError.noRoom(draft) }
            throw wasStopped ? BackupError.stopped : error
        }
        bytes = Self.size(of: draft) ?? 0
        guard fsync(opened) == 0 else { throw SystemError.last("sync \(draft)") }
        try Self.move(draft, to: file)
        try Self.sync(directory: directory)
    }

    /// Nil for a file that is not there.
    private static func size(of path: String) -> Int64? {
        var found = stat()
        return lstat(path, &found) == 0 ? Int64(found.st_size) : nil
    }

    /// Some network file systems cannot rename without replacing, but can link.
    private static func move(_ draft: String, to file: String) throws {
        if clinux_rename_noreplace(AT_FDCWD, draft, AT_FDCWD, file) == 0 { return }
        if errno == EINVAL, link(draft, file) == 0 { return }
        throw errno == EEXIST ? BackupError.exists(file) : SystemError.last("make \(file)")
    }

    private static func sync(directory: String) throws(SystemError) {
        let opened = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard opened >= 0 else { throw .last("open \(directory)") }
        defer { close(opened) }
        guard fsync(opened) == 0 else { throw .last("sync \(directory)") }
    }
}

/// Why there is no backup.
public enum BackupError: Error, Equatable, Sendable {
    case exists(String)
    case noStore(String)
    case noRoom(String)
    /// Whoever asked for it has given up.
    case stopped
}

extension BackupError: Explained {
    public var summary: String {
        switch self {
        case .exists(let path): "\(path) is there already and was left as it is."
        case .noStore(let path): "There is no job store \(path)."
        case .noRoom(let path): "There is no room on the disk for \(path)."
        case .stopped: "The backup was given up; nothing of it is left."
        }
    }

    public var hint: String? {
        switch self {
        case .exists: "Give the backup another name."
        case .noStore: "Name the state directory with --state or MILLRACE_STATE."
        case .noRoom: "Make room, or write the backup to another disk."
        case .stopped: nil
        }
    }
}
