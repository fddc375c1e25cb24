internal import JobCore
internal import JobStorage

/// What the writer hears.
enum WriterLetter: Sendable {
    case changes([Change])
    /// Note a clean end and stop; `done` is called when that is on disk.
    case stop(done: @Sendable () -> Void)
}

/// The writer's thread: takes all changes that have come, commits them together, and tells the
/// facts.
///
/// While one commit syncs, changes pile up, and the next commit takes them all: the busier, the
/// more share one sync. A lone change waits for nobody.
final class WriterLoop {
    /// Jobs in one commit, and bytes of their work or results: a commit should take at most 20 ms.
    private static let jobsTogether = 1_000
    private static let bytesTogether = 4 << 20
    /// So many jobs are worth a commit by themselves: new ones that come behind them wait for the
    /// next, by which some have ended and are written once.
    private static let jobsEnough = 64
    /// Pause between two tries while the disk is full or read-only, or the log is large, in ms.
    private static let healingMs = 500
    /// Size of the log that somebody should look at, in bytes: four times what stays allocated.
    private static let alarmingLogBytes: Int64 = 256 << 20

    private var store: any WriterStore
    private let run: RunID
    private let inbox: Mailbox<WriterLetter>
    private let facts: Mailbox<BrokerLetter>
    private let time: any TimeSource
    private let alarm: Alarm
    private let mostLogBytes: Int64
    private var logIsLarge = false
    /// It is as large as it may become.
    private var logIsFull = false
    /// Steps of large files that wait until it is smaller: nobody hears of them.
    private var held: [Change] = []
    private var waiting: [Change] = []
    /// How many of them have waited for a commit already.
    private var old = 0
    private var isHealing = false

    init(
        _ store: any WriterStore,
        _ run: RunID,
        inbox: Mailbox<WriterLetter>,
        facts: Mailbox<BrokerLetter>,
        _ time: any TimeSource,
        _ alarm: Alarm,
        mostLogBytes: Int64
    ) {
        self.mostLogBytes = mostLogBytes
        self.store = store
        self.run = run
        self.inbox = inbox
        self.facts = facts
        self.time = time
        self.alarm = alarm
    }

    /// Returns after `stop`.
    func work() throws(StoreError) {
        while true {
            let letters = nextLetters()
            old = waiting.count
            for letter in letters {
                switch letter {
                case .changes(let changes): waiting += changes
                case .stop(let done):
                    try finish()
                    return done()
                }
            }
            try watchLog()
            holdSteps()
            if !waiting.isEmpty { try commitSome() }
        }
    }

    /// Writes what waits, even when the disk was unfit a moment ago, and notes the clean end. A
    /// disk that is still unfit, but may heal, keeps nobody from stopping: what was not written is
    /// found by the next start, and runs again.
    private func finish() throws(StoreError) {
        repeat {
            if !waiting.isEmpty { try commitSome() }
        } while !waiting.isEmpty && !isHealing
        do throws(StoreError) {
            try store.stop(run, at: time.now())
            // So that whoever copies the database alone has all of it. A large log takes long.
            if !logIsLarge { _ = try shrinkLog() }
        } catch {
            guard error.heals else { throw error }
            alarm.raise(.unwritable, "The end could not be written down. \(error.summary)")
        }
        if !waiting.isEmpty {
            alarm.raise(
                .unwritable,
                "The store could not be written: \(waiting.count) changes are lost."
            )
        }
    }

    private func nextLetters() -> [WriterLetter] {
        if isHealing || (logIsLarge && waiting.isEmpty) { return inbox.wait(ms: Self.healingMs) }
        return waiting.isEmpty ? inbox.wait() : inbox.wait(ms: 0)
    }

    /// Another program that reads in one long transaction keeps the log from being emptied. What
    /// runs may still end; new jobs are refused when the log is as large as it may become.
    private func watchLog() throws(StoreError) {
        guard store.logBytes >= min(Self.alarmingLogBytes, mostLogBytes) || logIsLarge else {
            return
        }
        let trouble = isHealing ? nil : try shrinkLog()
        let bytes = store.logBytes
        logIsLarge = bytes >= min(Self.alarmingLogBytes, mostLogBytes)
        logIsFull = bytes >= mostLogBytes
        guard logIsLarge else { return alarm.clear(.log) }
        let reason =
            trouble.map { " and cannot be emptied: \($0.summary) " }
            ?? ", since another program reads the store in one long transaction. "
        alarm.raise(
            .log,
            "The store's log has \(bytes >> 20) MiB\(reason)"
                + "At \(mostLogBytes >> 20) MiB no new jobs are taken."
        )
        if logIsFull {
            turnAway(.logFull(limit: mostLogBytes)) { change in
                switch change {
                case .insert, .stage: true
                default: false
                }
            }
        }
    }

    /// A step of a large file writes as much as new jobs do, and is left to a later time as they
    /// are; at a stop, to the next start.
    private func holdSteps() {
        if logIsFull {
            held += waiting.filter(\.isStep)
            waiting.removeAll(where: \.isStep)
        } else {
            waiting += held
            held = []
        }
    }

    /// - Returns: Why it could not, when it may yet: to shrink the log takes room in the file.
    private func shrinkLog() throws(StoreError) -> StoreError? {
        do throws(StoreError) {
            try store.shrinkLog()
            return nil
        } catch {
            guard error.heals else { throw error }
            return error
        }
    }

    /// Refuses those of the waiting changes that somebody can be told of.
    private func turnAway(_ refusal: Refusal, where isMeant: (Change) -> Bool = { _ in true }) {
        var refused: [Fact] = []
        waiting.removeAll { change in
            guard isMeant(change), let ticket = change.ticket else { return false }
            refused.append(.refused(ticket, refusal))
            return true
        }
        if !refused.isEmpty { facts.put(.event(.wrote(refused))) }
    }

    private func commitSome() throws(StoreError) {
        let count = batch()
        let isAll = count == waiting.count
        let changes = isAll ? waiting : Array(waiting.prefix(count))
        do throws(StoreError) {
            var told = try store.commit(changes, at: time.now())
            if isAll { waiting = [] } else { waiting.removeFirst(count) }
            // Reports that come late leave no row: they do not tell that the disk is fit again.
            let isLate = !told.isEmpty && told.allSatisfy(\.isLate)
            if !isLate { alarm.clear(.unwritable) }
            isHealing = false
            let reports = changes.count(where: \.isReport)
            if reports > 0 { told.insert(.settled(reports: reports), at: 0) }
            if !told.isEmpty { facts.put(.event(.wrote(told))) }
        } catch {
            guard error.heals else { throw error }
            refuse(because: error)
        }
    }

    /// How many of the waiting changes go into the next commit; at least one.
    private func batch() -> Int {
        var jobs = 0
        var bytes = 0
        for (place, change) in waiting.enumerated() {
            if place >= old, jobs >= Self.jobsEnough, case .insert = change { return place }
            jobs += change.jobs
            bytes += change.bytes
            let isFull = jobs > Self.jobsTogether || bytes > Self.bytesTogether
            if isFull && place > 0 { return place }
        }
        return waiting.count
    }

    /// Nothing was written. Clients are told so; what workers reported is kept and tried again.
    private func refuse(because error: StoreError) {
        alarm.raise(.unwritable, error.summary)
        isHealing = true
        facts.put(.event(.wrote([.unwritable(error.refusal)])))
        turnAway(error.refusal)
    }
}

extension Fact {
    fileprivate var isLate: Bool {
        if case .cameLate = self { true } else { false }
    }
}

extension Change {
    /// Rows that it writes, roughly.
    fileprivate var jobs: Int {
        switch self {
        case .insert(let insertion): insertion.jobs.count
        case .split(_, let parts, _): parts.count
        case .cancel(let targets, _), .close(let targets, _): targets.count
        case .retry(let jobs, _), .delete(let jobs, _), .expire(let jobs, _, _), .spoil(let jobs):
            jobs.count
        case .stage(let staging): staging.piece.jobs.count
        case .release, .unstage: FilePiece.jobsMax
        case .start, .settle, .lose, .spoilWhole, .setPaused, .reserve, .closeFile: 1
        }
    }

    /// Of the release or the removal of a large file.
    fileprivate var isStep: Bool {
        switch self {
        case .release, .unstage: true
        default: false
        }
    }

    fileprivate var isReport: Bool {
        switch self {
        case .settle, .split: true
        default: false
        }
    }

    fileprivate var bytes: Int {
        switch self {
        case .insert(let insertion):
            insertion.jobs.bytes
        case .stage(let staging): staging.piece.jobs.bytes
        case .split(_, let parts, _): parts.reduce(0) { $0 + $1.ownBytes }
        case .settle(let report):
            if case .succeeded(let outcome) = report.ending { outcome.bytes.count } else { 0 }
        default: 0
        }
    }

    /// Set when a client waits for the change and can be told that it was not made.
    fileprivate var ticket: Ticket? {
        switch self {
        case .insert(let insertion): insertion.ticket
        case .stage(let staging): staging.ticket
        case .cancel(_, let ticket), .retry(_, let ticket), .delete(_, let ticket),
            .close(_, let ticket), .setPaused(_, _, let ticket), .expire(_, _, let ticket):
            ticket
        case .start, .settle, .split, .lose, .spoil, .spoilWhole, .reserve, .closeFile, .release,
            .unstage:
            nil
        }
    }
}

extension [Submission] {
    fileprivate var bytes: Int { reduce(0) { $0 + $1.spec.body.count + $1.spec.frames.bytes } }
}

extension [Spec.Frame] {
    fileprivate var bytes: Int { reduce(0) { $0 + $1.bytes.count } }
}

extension Refusal {
    fileprivate static func logFull(limit: Int64) -> Refusal {
        var refusal = Refusal(
            503,
            "log_full",
            "The store's log has reached \(limit) bytes, and no new jobs are taken.",
            hint: "End the program that reads the store in one long transaction."
        )
        refusal.retryAfterMs = 1_000
        return refusal
    }
}

extension StoreError {
    /// What clients are told. Whether their change was written is known: it was not.
    var refusal: Refusal {
        let code =
            switch self {
            case .full: "disk_full"
            case .readOnly: "read_only"
            case .busy: "store_busy"
            case .schemaTooNew, .notAStore, .empty, .onlyLog, .unreachable, .corrupt, .sqlite:
                "store_unfit"
            }
        var refusal = Refusal(heals ? 503 : 500, code, summary, hint: hint)
        refusal.retryAfterMs = heals ? 1_000 : nil
        return refusal
    }
}
