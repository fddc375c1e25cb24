internal import Glibc
internal import JobCore
internal import Synchronization

/// The thread that watches the jobs directory. The broker hears of files through `say`, and tells
/// what became of them through `tell`.
final class Intake: Sendable {
    private let mailbox = Mailbox<IntakeNotice>()
    private let settings: IntakeSettings
    private let seen = Mutex(IntakeOverview())

    /// Nil where the system has none: the directory is looked at every few seconds in any case.
    private let watch: DirectoryWatch?

    /// Fails when the directory cannot be used, so that a start can say so. Nothing is taken yet,
    /// but nothing that comes in from now on is overlooked.
    init(_ settings: IntakeSettings) throws(SpoolError) {
        self.settings = settings
        _ = try SpoolDirectory(path: settings.path, run: settings.run)
        do {
            watch = try DirectoryWatch(path: settings.path)
        } catch {
            settings.log("\(error.summary) Files are found by looking, which takes longer.")
            watch = nil
        }
    }

    /// What waits, and what somebody should look at.
    var overview: IntakeOverview { seen.withLock { $0 } }

    func tell(_ notice: IntakeNotice) { mailbox.put(notice) }

    /// Takes files until it is told to stop; `ended` is called when the thread is through.
    func start(ended: @escaping @Sendable () -> Void = {}) {
        startThread(.intake, ended: ended) { [self] in
            do throws(SpoolError) {
                try run()
            } catch {
                settings.log(error.summary)
                seen.withLock { $0.failure = error.summary }
            }
        }
    }

    private func run() throws(SpoolError) {
        let directory = try SpoolDirectory(path: settings.path, run: settings.run)
        let loop = IntakeLoop(directory: directory, settings: settings) { [watch, settings] in
            try? watch?.follow(settings.path)
        }
        let start = SuspendingClock.now
        func now() -> Int64 { Int64((SuspendingClock.now - start) / .milliseconds(1)) }
        while true {
            if let watch { loop.hear(watch.events()) }
            // What the last run has begun is told before the first turn.
            for notice in mailbox.takeAll() {
                if notice == .stop { return }
                loop.hear(notice, now: now())
            }
            loop.turn(now: now())
            seen.withLock { $0 = loop.overview }
            sleep(ms: loop.deadline(now: now()) - now())
        }
    }

    private func sleep(ms: Int64) {
        let ms = min(max(0, ms), settings.scanMs)
        // A negative descriptor is passed over.
        var items = [
            pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: watch?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&items, nfds_t(items.count), CInt(clamping: ms))
    }
}

/// What the intake is told by the broker.
enum IntakeNotice: Equatable, Sendable {
    /// The file's jobs are in the store, now or since an earlier run, with these ids in its order.
    case accepted(takenAs: String, ids: [JobID])
    /// Nothing of the file is in the store. For want of room (429, 503) it is tried again later.
    case refused(takenAs: String, Refusal)
    /// The piece that came last is stored, under these ids; `isAll` with all of its file.
    case staged(takenAs: String, ids: [JobID], isAll: Bool)
    /// An earlier run has stored pieces of this file, and not all.
    case begun(takenAs: String)
    /// All jobs of the file have ended.
    case ended(FileID)
    case stop
}

/// What the intake works with.
struct IntakeSettings: Sendable {
    /// The jobs directory.
    var path: String
    var run: RunID
    var limits = Limits()
    /// How long a file that was written in place must stay unchanged, in ms.
    var stillnessMs: Int64 = 1_000
    /// Between two looks at the whole directory, and before what failed is tried again, in ms.
    var scanMs: Int64 = 10_000
    var parse: JobFile.JobParser
    /// To the broker: `.filed` and `.fileClosed`.
    var say: @Sendable (Event) -> Void
    /// How the jobs of a file ended, or a part of them; nil when that cannot be read now. Called on
    /// intake's thread.
    var results: @Sendable (FileID, FileResults.Page) -> FileResults?
    /// What the store has of the file that was taken under this name. Called on intake's thread.
    var keeping: @Sendable (String) -> FileKeeping
    /// For people: one sentence on what went wrong.
    var log: @Sendable (String) -> Void
}

/// What the directory shows to people who ask.
struct IntakeOverview: Equatable, Sendable {
    /// Files that are left where they are, with the reason; at most a thousand of them.
    var listed: [String: String] = [:]
    /// Names that are not UTF-8 and are left where they are.
    var unreadableNames = 0
    /// Why nothing is taken now.
    var pause: String?
    /// What failed last and is being tried again.
    var failure: String?
}

extension IntakeOverview {
    /// What somebody should look at, one sentence each.
    var alarms: [String] {
        var found = [failure, pause.map { "The spool waits: \($0)" }].compactMap(\.self)
        if let first = listed.min(by: { $0.key < $1.key }) {
            let count = listed.count == 1 ? "1 file" : "\(listed.count) files"
            found.append("The spool leaves \(count) alone; \(first.key): \(first.value)")
        }
        return found
    }
}
