internal import Crypto
internal import Glibc
internal import JobCore

/// The jobs directory on disk: each step that a file takes through its folders, safe against a
/// crash between any two calls.
///
/// ```
/// jobs/NAME ──claim──> taken/<run>-<n>-NAME ──kept──> done/<first id>-NAME, done/NAME.ids
///                              │                      results/NAME.json, when its jobs have ended
///                              └────refused────> refused/NAME, refused/NAME.reason.txt
/// ```
/// A CSV that its jobs name goes the same way behind it, with the same number in `taken/`.
///
/// A file in `taken/` is all there is to remember: whoever finds one there submits it again under
/// the name it has there, and the ledger knows whether it did so before.
///
/// Names that come again: `NAME.ids` and `results/NAME.*` belong to the newest drop of that name,
/// and the store keeps the older ones by id. A refused file makes room for its successor as
/// `refused/older-<run>-<n>-NAME`. Files in `done/` are never replaced.
///
/// It belongs to one thread.
final class SpoolDirectory {
    /// A file in `taken/`.
    struct Taken: Hashable, Comparable {
        /// As it is called there.
        let takenAs: String
        /// As it was dropped.
        let name: String
        private let run: Int64
        private let number: Int64

        /// Nil when the name is not one of those that we give to files of jobs.
        init?(takenAs: String) {
            guard let parts = Self.parts(of: takenAs), JobFile(fileName: parts.name) != nil else {
                return nil
            }
            self.takenAs = takenAs
            (run, number, name) = parts
        }

        /// How its CSV of that name is called in `taken/`.
        func takenAs(rows name: String) -> String { "\(run)-\(number)-\(name)" }

        /// What all that is taken with it is called in the beginning.
        var prefix: String { "\(run)-\(number)-" }

        static func parts(of takenAs: String) -> (run: Int64, number: Int64, name: String)? {
            // By bytes: a name may begin with a mark that changes the character before it.
            let parts = takenAs.utf8.split(
                separator: UInt8(ascii: "-"),
                maxSplits: 2,
                omittingEmptySubsequences: false
            ).map { String(Substring($0)) }
            guard parts.count == 3, let run = Int64(parts[0]), let number = Int64(parts[1]) else {
                return nil
            }
            return (run, number, parts[2])
        }

        /// The older first: by run, then by number.
        static func < (a: Taken, b: Taken) -> Bool {
            (a.run, a.number, a.takenAs) < (b.run, b.number, b.takenAs)
        }
    }

    /// The directory and what is in it, as they were opened.
    private struct Folders {
        let root: Folder
        let taken: Folder
        let done: Folder
        let refused: Folder
        let results: Folder

        init(path: String, afterCall: @escaping Folder.CallHook) throws(SpoolError) {
            root = try Folder(path: path, afterCall: afterCall)
            let mode = try root.owner().mode
            guard mode & S_IWOTH == 0 || mode & S_ISVTX != 0 else {
                throw .worldWritable(path: path)
            }
            taken = try ourFolder("taken", in: root)
            done = try ourFolder("done", in: root)
            refused = try ourFolder("refused", in: root)
            results = try ourFolder("results", in: root)
        }
    }

    private let path: String
    private let afterCall: Folder.CallHook
    private var folders: Folders
    var root: Folder { folders.root }
    var taken: Folder { folders.taken }
    var done: Folder { folders.done }
    var refused: Folder { folders.refused }
    private var results: Folder { folders.results }
    private let run: RunID
    private var claims: Int64 = 0
    /// The first id of the newest drop of a name, so that an older one that ends later does not
    /// replace its results. Forgotten when it grows too large and with the run.
    private var newest: [String: JobID] = [:]
    private static let newestMax = 10_000
    /// The CSVs of files in `taken/`, by the names they were dropped under.
    var rowsOfTaken: [Taken: Set<String>] = [:]
    /// Receipts that are being written, of files in `taken/` whose jobs come piece by piece.
    var receipts: [Taken: Folder.Draft] = [:]

    /// Opens the directory, which must exist, and makes the folders in it.
    init(
        path: String,
        run: RunID,
        afterCall: @escaping Folder.CallHook = { _ in }
    ) throws(SpoolError) {
        folders = try Folders(path: path, afterCall: afterCall)
        self.path = path
        self.afterCall = afterCall
        self.run = run
    }

    /// Somebody may have removed or moved the directory, or a folder in it, and made another: that
    /// one counts then.
    ///
    /// - Returns: False when all of them are where they were.
    func reopen() throws(SpoolError) -> Bool {
        for folder in [root, taken, done, refused, results] where try !folder.isInPlace() {
            folders = try Folders(path: path, afterCall: afterCall)
            return true
        }
        return false
    }

    // MARK: Looking

    func list() throws(SpoolError) -> Folder.Listing { try root.list() }

    func entry(_ name: String) throws(SpoolError) -> Entry? { try root.entry(name) }

    func isBeingWritten(_ name: String) -> Bool? { root.isBeingWritten(name) }

    /// The files of jobs in `taken/`, the oldest first: after a start, what the last run did not
    /// finish.
    func leftovers() throws(SpoolError) -> [Taken] {
        let names = try taken.list().names
        let files = names.compactMap(Taken.init(takenAs:))
        try putAwayRows(among: names, without: files)
        return files
    }

    // MARK: Steps

    /// Takes a file out of everybody's reach; nil when it is gone already. Nothing of it may be
    /// submitted before `syncClaims`: a power cut would give the file its old name back, and it
    /// would run again.
    func claim(_ name: String) throws(SpoolError) -> Taken? {
        while true {
            claims += 1
            guard let file = Taken(takenAs: "\(run.rawValue)-\(claims)-\(name)") else { return nil }
            do {
                try root.move(name, to: taken, as: file.takenAs)
                return file
            } catch  where error.isMissing {
                return nil
            } catch  where error.isTaken {}  // By a run of an older store.
        }
    }

    func syncClaims() throws(SpoolError) {
        try taken.sync()
        try root.sync()
    }

    /// What a taken file turned out to be.
    enum Reading {
        /// Somebody has removed it.
        case missing
        case refused(JobFileProblem)
        case whole(TakenFile)
        /// It holds more than goes into one submission, and is read piece by piece.
        case large
    }

    /// Reads a taken file whole, unless it is too large for that.
    func read(
        _ file: Taken,
        limits: Limits,
        parse: @escaping JobFile.JobParser
    ) throws(SpoolError) -> Reading {
        switch try taken.read(file.takenAs, atMost: JobFile.bytesMax) {
        case .missing:
            rowsOfTaken[file] = nil
            return .missing
        case .notRegular:
            return .refused(
                JobFileProblem(
                    "It is no regular file but a link, a pipe or a device.",
                    at: .start,
                    hint: "Copy the content into the directory."
                )
            )
        case .tooLarge(let size): return file.hasLines ? .large : .refused(.tooLarge(size))
        case .bytes(let bytes):
            if file.hasLines, JobFile.needsPieces(bytes, limits) { return .large }
            let shelf = RowsShelf { [self] name throws(SpoolError) in
                try rows(name, of: file, atMost: limits.eachBytes)
            }
            do throws(JobFileProblem) {
                guard let format = JobFile(fileName: file.name) else { return .missing }
                let jobs = try format.submissions(
                    in: bytes,
                    limits: limits,
                    rows: { name throws(RowsProblem) in
                        try shelf.rows(name, atMost: limits.eachBytes)
                    },
                    parse: parse
                )
                let row = TakenFile.Row(
                    name: file.name,
                    takenAs: file.takenAs,
                    bytes: Int64(bytes.count),
                    digest: digest(bytes)
                )
                return .whole(TakenFile(row: row, jobs: jobs))
            } catch {
                if let failure = shelf.failure { throw failure }
                return .refused(error)
            }
        }
    }

    /// How the way of a taken file ends.
    enum Ending: Equatable {
        /// Its jobs are in the store.
        case kept([JobID])
        /// Likewise, and they came piece by piece. The first has this id.
        case staged(first: JobID)
        case refused(reason: String)

        /// Nil when it has no jobs.
        var first: JobID? {
            switch self {
            case .kept(let ids): ids.first
            case .staged(let id): id
            case .refused: nil
            }
        }
    }

    /// Writes what is to lie beside the file: the receipt, or the reason. Repeating it does no
    /// harm.
    func note(_ file: Taken, _ ending: Ending) throws(SpoolError) {
        switch ending {
        case .kept(let ids):
            guard let first = ids.first, isNewest(file.name, first) else { return }
            let receipt = ids.map { "\($0.rawValue)\n" }.joined()
            try done.write(file.name + ".ids", Array(receipt.utf8))
        case .staged(let first): try finishReceipt(of: file, first)
        case .refused(let reason):
            // It has its note, and its place, when a step behind them is repeated.
            if rowsOfTaken[file] != nil, try !isTaken(as: file.takenAs) { return }
            let note = file.name + ".reason.txt"
            try makeRoom(for: file.name, as: "older-\(file.takenAs)")
            try makeRoom(for: note, as: "older-\(file.takenAs).reason.txt")
            for name in rowsOfTaken[file] ?? [] {
                try makeRoom(for: name, as: "older-\(file.takenAs(rows: name))")
            }
            try refused.write(note, Array(reason.utf8))
        }
    }

    /// Makes sure that no file leaves `taken/` without its note.
    func syncNotes() throws(SpoolError) {
        try done.sync()
        try refused.sync()
    }

    /// Moves the file to its last place. Repeating it does no harm; should a power cut undo it, the
    /// next start does it again.
    func putAway(_ file: Taken, _ ending: Ending) throws(SpoolError) {
        do {
            switch ending {
            case .kept, .staged:
                guard let first = ending.first?.rawValue else { return }
                do {
                    try taken.move(file.takenAs, to: done, as: "\(first)-\(file.name)")
                } catch  where error.isTaken {
                    // The jobs' keys were used before: these are the ids of an older drop.
                    try taken.move(file.takenAs, to: done, as: "\(first)-\(file.takenAs)")
                }
            case .refused:
                try taken.move(file.takenAs, to: refused, as: file.name)
            }
        } catch  where error.isMissing {}  // Moved before.
        receipts[file] = nil
        try putAwayRows(of: file, ending)
    }

    /// Moves an earlier file of the same name away. What has been moved under that name already was
    /// the earlier one: then the present one is ours, from a try that did not come to its end.
    private func makeRoom(for name: String, as other: String) throws(SpoolError) {
        do {
            try refused.move(name, to: refused, as: other)
        } catch  where error.isMissing || error.isTaken {}
    }

    /// Writes the results of a file whose jobs have ended. Repeating it does no harm. They are sure
    /// after `syncResults`.
    func publish(_ file: FileResults) throws(SpoolError) {
        guard let name = resultsName(of: file) else { return }
        if let (format, bytes) = file.sibling {
            try results.write("\(name).\(format)", bytes)
        }
        try results.write(name + ".json", file.encoded(as: name))
    }

    /// Begins the results of a file with very many jobs, of which these are the first.
    func draft(_ file: FileID, _ first: FileResults) throws(SpoolError) -> ResultsDraft? {
        guard let name = resultsName(of: first) else { return nil }
        return try ResultsDraft(file, first, as: name, in: results)
    }

    private func resultsName(of file: FileResults) -> String? {
        guard let first = file.jobs.first?.result.end.id else { return nil }
        return isNewest(file.name, first) ? file.name : "\(first.rawValue)-\(file.name)"
    }

    func syncResults() throws(SpoolError) { try results.sync() }

    /// Whether a file still lies in `taken/`, and would be submitted again by the next start.
    func isTaken(as name: String) throws(SpoolError) -> Bool { try taken.entry(name) != nil }

    /// Makes sure that what was put away stays so.
    func syncPutAway() throws(SpoolError) {
        try taken.sync()
        try done.sync()
    }

    func isNewest(_ name: String, _ first: JobID) -> Bool {
        if let known = newest[name], known > first { return false }
        if newest.count >= Self.newestMax { newest.removeAll() }
        newest[name] = first
        return true
    }
}

/// A folder that nobody but us and root can have made or may write.
private func ourFolder(_ name: String, in root: Folder) throws(SpoolError) -> Folder {
    let folder: Folder
    do {
        folder = try root.folder(name)
    } catch .system("open", let path, ENOTDIR) {
        throw .notOurs(path: path)
    } catch .system("open", let path, ELOOP) {
        throw .notOurs(path: path)
    }
    let (mode, user) = try folder.owner()
    guard user == geteuid() || user == 0, mode & S_IWOTH == 0 else {
        throw .notOurs(path: folder.path)
    }
    return folder
}

private func digest(_ bytes: [UInt8]) -> String {
    var hash = SHA256()
    bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
    return hash.finalize().hexadecimal
}
