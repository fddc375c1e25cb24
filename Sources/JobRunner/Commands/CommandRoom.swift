internal import Glibc
internal import JobCore
internal import Logging

/// Where one attempt of a command lives: a directory of its own, in which lie its working directory
/// and a note of its processes. It goes when the attempt has ended.
struct CommandRoom {
    /// How long a start waits for keepers to end what they keep, and then for what it has ended.
    private static let keepersPause = Duration.seconds(1)
    private static let patience = Duration.seconds(5)

    let path: String

    var workingDirectory: String { path + "/work" }
    private var notePath: String { path + "/session" }

    private init(path: String) { self.path = path }

    /// Makes a room for this attempt below a directory, which is made, too, where it is missing.
    /// Its path is whole, for it is told to programs.
    init(for order: Order, in rooms: String) throws(SystemError) {
        try makeDirectories(rooms)
        let name = "\(rooms)/\(order.job.rawValue)-\(order.attempt.rawValue).XXXXXX"
        var template = Array(name.utf8CString)
        guard mkdtemp(&template) != nil, let whole = realpath(&template, nil) else {
            throw .last("make a directory in \(rooms)")
        }
        path = String(cString: whole)
        free(whole)
        guard mkdir(workingDirectory, 0o700) == 0 else {
            throw .last("make the directory \(workingDirectory)")
        }
    }

    /// Notes whose processes work here, before the first of them does.
    func note(_ session: CommandSession) throws(SystemError) {
        let action = "write \(notePath)"
        guard let file = fopen(notePath, "we") else { throw .last(action) }
        let isWritten = fputs(session.text, file) >= 0
        guard fclose(file) == 0, isWritten else { throw .last(action) }
    }

    /// What cannot be removed is left to the next start.
    func removeOrTell(_ log: Logger) {
        do throws(SystemError) {
            try TreeRemoval.remove(path)
        } catch {
            let reason: Logger.Metadata = ["reason": "\(error.summary)"]
            log.warning("What a command has written stays.", metadata: reason)
        }
    }

    /// Ends what commands of an earlier run have left, and clears their rooms. To be called before
    /// any job is started.
    static func clear(_ rooms: String, _ log: Logger) {
        for room in names(in: rooms).map({ CommandRoom(path: rooms + "/" + $0) }) {
            let session = room.noted
            let isOver = session?.end(after: keepersPause, patience: patience) ?? true
            guard isOver else {
                // Its note stays, too, by which the next start finds it again.
                let place: Logger.Metadata = ["directory": "\(room.path)"]
                log.error("A command of an earlier run does not end.", metadata: place)
                continue
            }
            room.removeOrTell(log)
        }
    }

    private var noted: CommandSession? {
        guard let file = fopen(notePath, "re") else { return nil }
        defer { fclose(file) }
        var bytes = [CChar](repeating: 0, count: 128)
        guard fgets(&bytes, CInt(bytes.count), file) != nil else { return nil }
        let text = bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return CommandSession(String(decoding: text, as: UTF8.self))
    }

    private static func names(in rooms: String) -> [String] {
        guard let stream = opendir(rooms) else { return [] }
        defer { closedir(stream) }
        var found: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { found.append(name) }
        }
        return found
    }
}
