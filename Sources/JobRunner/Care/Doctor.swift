internal import Glibc
public import JobCore
internal import JobStorage

/// Examines a state directory, with or without a runner at work on it, and changes nothing.
public struct Doctor {
    public struct Finding: Equatable, Sendable {
        /// What was looked at, in a word or two.
        public let subject: String
        public let isGood: Bool
        /// One sentence.
        public let words: String
    }

    /// Less room than this is worth a word, in bytes: four times what the log keeps allocated.
    private static let littleRoom: UInt64 = 256 << 20
    /// Likewise, files that can still be made.
    private static let fewFiles: UInt64 = 100
    private static let largeLog: Int64 = 256 << 20

    private let directory: String
    private let store: String

    public init(_ settings: Settings) {
        directory = settings.stateDirectory
        store = settings.storePath
    }

    /// - Parameter whole: Whether to look at all that is stored, which takes far longer.
    /// - Returns: What was looked at, good or bad.
    public func examine(whole: Bool) -> [Finding] {
        guard access(store, F_OK) == 0 else {
            return [bad("store", "There is no job store \(store).")]
        }
        return [runner, permissions, room, log] + contents(whole: whole)
    }

    private func good(_ subject: String, _ words: String) -> Finding {
        Finding(subject: subject, isGood: true, words: words)
    }

    private func bad(_ subject: String, _ words: String) -> Finding {
        Finding(subject: subject, isGood: false, words: words)
    }

    // MARK: - The system

    /// Neither is bad; whoever reads the rest wants to know it.
    private var runner: Finding {
        good("runner", isLocked ? "A runner is at work." : "No runner is at work.")
    }

    /// As the kernel lists it: trying to take the lock could keep a runner from starting.
    private var isLocked: Bool {
        var file = stat()
        guard stat(directory + "/run/lock", &file) == 0,
            let locks = fopen("/proc/locks", "r")
        else { return false }
        defer { fclose(locks) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, CInt(line.count), locks) != nil {
            let words = String(
                decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)),
                as: UTF8.self
            )
            .split(separator: " ")
            // "1: FLOCK ADVISORY WRITE 4711 08:01:123456 0 EOF"
            if words.contains("FLOCK"), words.contains(where: { $0.hasSuffix(":\(file.st_ino)") }) {
                return true
            }
        }
        return false
    }

    private var permissions: Finding {
        let paths = [directory, store, store + "-wal", store + "-shm", directory + "/run/lock"]
        for path in paths {
            var file = stat()
            guard lstat(path, &file) == 0 else { continue }
            let mode = String(file.st_mode & 0o7777, radix: 8)
            if file.st_mode & 0o077 != 0 {
                return bad(
                    "permissions",
                    "\(path) is open to others (mode \(mode)); take them away."
                )
            }
            if file.st_uid != geteuid() && geteuid() != 0 {
                return bad("permissions", "\(path) belongs to somebody else.")
            }
        }
        return good("permissions", "Nobody else may read the store.")
    }

    private var room: Finding {
        var disk = statvfs()
        guard statvfs(directory, &disk) == 0 else {
            return bad("room", SystemError.last("look at the disk of \(directory)").summary)
        }
        let free = UInt64(disk.f_bavail) * UInt64(disk.f_frsize)
        if disk.f_flag & UInt(ST_RDONLY) != 0 {
            return bad("room", "The disk of \(directory) is read-only.")
        }
        if disk.f_files > 0 && disk.f_favail < Self.fewFiles {
            return bad("room", "The disk of \(directory) takes only \(disk.f_favail) more files.")
        }
        let words = "\(free >> 20) MiB are free."
        return free < Self.littleRoom ? bad("room", words) : good("room", words)
    }

    private var log: Finding {
        var file = stat()
        let bytes = stat(store + "-wal", &file) == 0 ? Int64(file.st_size) : 0
        let words = "The write-ahead log has \(bytes >> 20) MiB."
        guard bytes >= Self.largeLog else { return good("log", words) }
        return bad(
            "log",
            "\(words) Look for a program that reads the store in one long transaction."
        )
    }

    // MARK: - The store

    private func contents(whole: Bool) -> [Finding] {
        do throws(StoreError) {
            return try StoreCheckup(path: store).findings(whole: whole).map { finding in
                finding.faults.isEmpty
                    ? good(finding.subject, finding.excuse ?? "Nothing is wrong.")
                    : bad(finding.subject, finding.faults.joined(separator: "; "))
            }
        } catch {
            return [bad("store", error.summary)]
        }
    }
}
