@testable import JobCore

/// What an observer of a story knows of all that was written, told and begun.
struct StoryLedger {
    /// An order that was given and has neither been reported nor taken back.
    struct Holder {
        let worker: WorkerID
        let run: Run
        let sequence: UInt64
        var turns: Set<Turn> = []
        /// True when it was known from the start that the run is long.
        var isLong = false
        /// The orders that it may share a transaction with.
        var group: UInt64?
    }

    struct Asking {
        let request: Request
        let caller: Caller
        /// Jobs asked for whose end had been heard of by then, and how often each had been
        /// reopened.
        var endedBefore: [JobID: Int] = [:]
        /// Of the changes that it has led to.
        var tickets: Set<Ticket> = []
        /// True for a call of which the same was under way.
        var isJoined = false
        /// Jobs of which the end had been heard by then.
        var endedByThen: Set<JobID> = []
    }

    struct Payment {
        let request: String
        let jobs: Int
        let at: Timestamp
        /// When the submission was refused after all.
        var backAt: Timestamp?
    }

    /// A job's key is its owner's alone.
    struct Key: Hashable {
        let owner: Owner
        let name: String
    }

    // Written:
    var specs: [JobID: Spec] = [:]
    var owners: [JobID: Owner] = [:]
    var deleted: Set<JobID> = []
    var children: [JobID: [JobID]] = [:]
    var ends: [JobID: [JobEnd]] = [:]
    var final: [JobID: JobEnd] = [:]
    var openings: [JobID: Int] = [:]
    var outcomes: [JobID: Outcome] = [:]
    var paused: Set<QueueName> = []
    var killers: Set<JobID> = []
    /// Jobs of which a part's result was found to be damaged.
    var spoilt: Set<JobID> = []
    var holdersOfKeys: [Key: [JobID]] = [:]
    var kin = StoryKin()
    // Delivered to the dispatcher:
    var heardTickets: Set<Ticket> = []
    /// How many jobs each change has changed.
    var heardCounts: [Ticket: Int] = [:]
    var heardRefused: Set<Ticket> = []
    /// True while the last that was heard of the store is that it cannot be written.
    var hasHeardUnwritable = false
    var heardInserted: [Ticket: [Accepted]] = [:]
    var heardAccepted: Set<JobID> = []
    var heardFinal: Set<JobID> = []
    var heardPaused: Set<QueueName> = []
    // With workers:
    var holders: [JobID: [Holder]] = [:]
    var running: [WorkerID: Order] = [:]
    var lastBegun: [JobID: Attempt] = [:]
    /// How many parts each run has made of its job.
    var parts: [Run: Int] = [:]
    // With clients:
    var open: [String: Asking] = [:]
    /// The request that is asked in this very round.
    var asked: String?
    var acknowledged: Set<JobID> = []
    var keys: [Key: JobID] = [:]
    var told: [JobID: [UInt8]] = [:]
    /// Ids of Titanic's that clients have got, the newest last.
    var titanicIDs: [TitanicID] = []
    var statisticsSum: Int64?
    /// Jobs that each client has submitted in this run and was not refused at once, and when.
    var paid: [Account: [Payment]] = [:]

    /// What was written and is kept.
    var kept: [JobID] { specs.keys.filter { !deleted.contains($0) }.sorted() }

    mutating func delivered(_ fact: Fact) {
        switch fact {
        case .refused: break
        case .unwritable: hasHeardUnwritable = true
        default: hasHeardUnwritable = false
        }
        switch fact {
        case .inserted(let ticket, let accepted, _):
            heardTickets.insert(ticket)
            heardInserted[ticket] = accepted
            heardAccepted.formUnion(accepted.map(\.id))
        case .ended(let ended): heardFinal.insert(ended.end.id)
        case .queued(let job): heardFinal.remove(job.id)
        case .blocked(let job, _, _): heardFinal.remove(job)
        case .changed(let ticket, let count, _):
            heardTickets.insert(ticket)
            heardCounts[ticket] = count
        case .refused(let ticket, _):
            heardTickets.insert(ticket)
            heardRefused.insert(ticket)
        case .paused(let isPaused, let queues, let ticket):
            heardTickets.insert(ticket)
            if isPaused { heardPaused.formUnion(queues) } else { heardPaused.subtract(queues) }
        case .staged(let ticket, let accepted, _, _):
            heardTickets.insert(ticket)
            heardAccepted.formUnion(accepted.map(\.id))
        case .split, .cancelRequested, .cameLate, .reserved, .fileEnded, .settled, .unwritable,
            .released, .unstaged:
            break
        }
    }

    // MARK: Workers

    mutating func ended(_ worker: WorkerID, _ order: Order) {
        if running[worker]?.sequence == order.sequence { running[worker] = nil }
    }

    mutating func reported(_ report: Report) {
        holders[report.job]?.removeAll {
            $0.worker == report.worker && $0.run.attempt == report.attempt
        }
    }

    mutating func takenBack(_ worker: WorkerID, _ orders: Range<UInt64>) {
        for job in holders.keys {
            holders[job]?.removeAll { $0.worker == worker && orders.contains($0.sequence) }
        }
    }

    mutating func gone(_ worker: WorkerID) {
        running[worker] = nil
        for job in holders.keys { holders[job]?.removeAll { $0.worker == worker } }
    }

    /// The runner ends: its threads, and whom it owed an answer, with it.
    mutating func restart() {
        holders = [:]
        running = [:]
        lastBegun = [:]
        open = [:]
        heardFinal = Set(final.keys)
        heardPaused = paused
        heardTickets = []
        heardCounts = [:]
        heardRefused = []
        hasHeardUnwritable = false
        heardInserted = [:]
        paid = [:]
    }
}
