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
    /// Pause between two tries while the disk is full or read-only, in ms.
    private static let healingMs = 500

    private var store: any WriterStore
    private let run: RunID
    private let inbox: Mailbox<WriterLetter>
    private let facts: Mailbox<BrokerLetter>
    private let time: any TimeSource
    private let alarm: Alarm
    private var waiting: [Change] = []
    private var isHealing = false

    init(
        _ store: any WriterStore,
        _ run: RunID,
        inbox: Mailbox<WriterLetter>,
        facts: Mailbox<BrokerLetter>,
        _ time: any TimeSource,
        _ alarm: Alarm
    ) {
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
            let letters =
                waiting.isEmpty ? inbox.wait() : inbox.wait(ms: isHealing ? Self.healingMs : 0)
            for letter in letters {
                switch letter {
                case .changes(let changes): waiting += changes
                case .stop(let done):
                    try finish()
                    return done()
                }
            }
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
        } catch {
            guard error.heals else { throw error }
            alarm.raise("The end could not be written down. \(error.summary)")
        }
        if !waiting.isEmpty {
            alarm.raise("The store could not be written: \(waiting.count) changes are lost.")
        }
    }

    private func commitSome() throws(StoreError) {
        let count = batch()
        let changes = Array(waiting.prefix(count))
        do throws(StoreError) {
            let found = try store.commit(changes, at: time.now())
            waiting.removeFirst(count)
            if isHealing { alarm.clear() }
            isHealing = false
            if !found.isEmpty { facts.put(.event(.wrote(found))) }
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
            jobs += change.jobs
            bytes += change.bytes
            let isFull = jobs > Self.jobsTogether || bytes > Self.bytesTogether
            if isFull && place > 0 { return place }
        }
        return waiting.count
    }

    /// Nothing was written. Clients are told so; what workers reported is kept and tried again.
    private func refuse(because error: StoreError) {
        if !isHealing { alarm.raise(error.summary) }
        isHealing = true
        let refusal = error.refusal
        let refused = waiting.compactMap { change in
            change.ticket.map { Fact.refused($0, refusal) }
        }
        waiting.removeAll { $0.ticket != nil }
        if !refused.isEmpty { facts.put(.event(.wrote(refused))) }
    }
}

extension Change {
    /// Rows that it writes, roughly.
    fileprivate var jobs: Int {
        switch self {
        case .insert(let insertion): insertion.jobs.count
        case .split(_, let parts, _): parts.count
        case .cancel(let targets, _): targets.count
        case .retry(let jobs, _), .delete(let jobs, _), .expire(let jobs, _, _): jobs.count
        case .start, .settle, .lose, .setPaused, .reserve, .closeFile: 1
        }
    }

    fileprivate var bytes: Int {
        switch self {
        case .insert(let insertion): insertion.jobs.reduce(0) { $0 + $1.spec.body.count }
        case .settle(let report):
            if case .succeeded(let outcome) = report.ending { outcome.bytes.count } else { 0 }
        default: 0
        }
    }

    /// Set when a client waits for the change and can be told that it was not made.
    fileprivate var ticket: Ticket? {
        switch self {
        case .insert(let insertion): insertion.ticket
        case .cancel(_, let ticket), .retry(_, let ticket), .delete(_, let ticket),
            .setPaused(_, _, let ticket), .expire(_, _, let ticket):
            ticket
        case .start, .settle, .split, .lose, .reserve, .closeFile: nil
        }
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
            case .schemaTooNew, .notAStore, .corrupt, .sqlite: "store_unfit"
            }
        var refusal = Refusal(heals ? 503 : 500, code, summary, hint: hint)
        refusal.retryAfterMs = heals ? 1_000 : nil
        return refusal
    }
}
