public import JobCore
public import SQLite

/// What makes a store unfit: to be opened, or to be written.
public enum StoreError: Error, Equatable, Sendable {
    /// Another process holds the write lock.
    case busy(path: String)
    /// The file was written by a newer program.
    case schemaTooNew(path: String, found: Int, known: Int)
    /// The file is something else.
    case notAStore(path: String)
    /// The file is there and has no bytes: what was in it is lost.
    case empty(path: String)
    /// There is a log without its store.
    case onlyLog(path: String)
    /// The file may be there: a link or a directory on the way to it leads nowhere now.
    case unreachable(path: String, reason: String)
    /// What the file says cannot be true.
    case corrupt(path: String, SQLiteError)
    /// There is no room on the disk.
    case full(path: String)
    case readOnly(path: String)
    /// Anything else, such as an error of the disk.
    case sqlite(path: String, SQLiteError)

    init(_ error: SQLiteError, path: String) {
        self =
            if error.isBusy {
                .busy(path: path)
            } else if error.isNotADatabase {
                .notAStore(path: path)
            } else if error.isCorrupt {
                .corrupt(path: path, error)
            } else if error.isFull {
                .full(path: path)
            } else if error.isReadOnly {
                .readOnly(path: path)
            } else {
                .sqlite(path: path, error)
            }
    }

    /// True when no later start will succeed either, until somebody has done something.
    public var isFinal: Bool {
        switch self {
        case .schemaTooNew, .notAStore, .empty, .onlyLog, .corrupt: true
        case .unreachable, .busy, .full, .readOnly, .sqlite: false
        }
    }

    /// True when the next commit may well succeed. After any other error the store must be opened
    /// anew: the kernel may have dropped pages that were thought to be written.
    public var heals: Bool {
        switch self {
        case .busy, .full, .readOnly: true
        case .schemaTooNew, .notAStore, .empty, .onlyLog, .unreachable, .corrupt, .sqlite: false
        }
    }
}

extension StoreError: Explained {
    public var summary: String {
        switch self {
        case .busy(let path): "The job store \(path) is in use by another process."
        case .schemaTooNew(let path, let found, let known):
            "The job store \(path) has schema \(found); this program knows up to \(known)."
        case .notAStore(let path): "\(path) is not a job store."
        case .empty(let path): "The job store \(path) is empty: the file has no bytes."
        case .onlyLog(let path): "There is a log \(path)-wal, and no job store \(path)."
        case .unreachable(let path, let reason): "The job store \(path) is out of reach: \(reason)."
        case .corrupt(let path, let error): "The job store \(path) is damaged: \(error.message)."
        case .full(let path): "There is no room left on the disk for the job store \(path)."
        case .readOnly(let path): "The job store \(path) cannot be written."
        case .sqlite(let path, let error): "The job store \(path) reported: \(error.message)."
        }
    }

    public var hint: String? {
        switch self {
        case .busy: "End the other program that writes it, or give this runner a store of its own."
        case .schemaTooNew: "Run the program version that wrote it, or restore a backup."
        case .notAStore: "Name another file, or move this one away."
        case .empty: "Restore a backup, or remove the file to begin with no jobs."
        case .onlyLog: "Put the store back beside its log, or remove the log to begin with no jobs."
        case .unreachable: "Mount the disk that it is on, or mend the link."
        case .corrupt:
            "Ask `millrace doctor`, restore a backup, and keep this file and its -wal for salvage."
        case .full: "Make room; the runner goes on by itself."
        case .readOnly: "Make the file and its directory writable for the runner's user."
        case .sqlite: nil
        }
    }
}
