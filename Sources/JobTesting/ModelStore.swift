public import JobCore

/// A store in plain memory, so simple that its answers can be believed.
///
/// It looks at every job for every question, and keeps the promises of `Store` but for the disk.
public struct ModelStore: Store {
    /// Bytes of specs after which a load counts as full.
    static let loadBytes = 8 << 20
    /// Jobs that one page of a list looks at.
    static let listJobs = 10_000

    struct Entry {
        var job: Job
        let spec: Spec
        var owner = Owner.local
        var key: String?
        var fingerprint: UInt64 = 0
        let createdAt: Timestamp
        var startedAt: Timestamp?
        var finishedAt: Timestamp?
        var worker: WorkerID?
        /// The job that it is a part of, and which part, from 1.
        var parent: JobID?
        var part = 0
        var file: FileID?
        var failure: Failure?
        var outcome: Outcome?
        var pastAttempts: [PastAttempt] = []
        var onFailure = OnFailure.fail
        /// The jobs that it comes after, in its own order.
        var links: [Link] = []

        var lane: Lane {
            Lane(spec.queue, Turns(losses: job.losses, writes: spec.writes, skill: spec.skill))
        }
    }

    struct Link {
        let job: JobID
        let name: String?
        let isSource: Bool
        /// Whether the job still waits for it.
        var isOpen: Bool
    }

    struct File {
        let takenAs: String
        let firstID: Int64
        var isClosed = false
        var digest = ""
        /// Jobs of one that was written in pieces.
        var total = 0
        /// Of such a one.
        var bytes: Int64 = 0
        /// Jobs of such a one that are ready, the first ones; nil when all are.
        var released: Int?
    }

    /// Jobs that one step of the removal of old ones looks at.
    public var expiryJobs = 10_000

    let limits: Limits
    var entries: [JobID: Entry] = [:]
    var files: [FileID: File] = [:]
    var stages: [FileID: Stage] = [:]
    var queueNames: Set<QueueName> = []
    var pausedQueues: Set<QueueName> = []
    var highestID: Int64 = 0
    var reservedUpTo: Int64 = 0

    // Of the commit under way:
    var now = Timestamp(rawValue: 0)
    var facts: [Fact] = []
    var touchedFiles: Set<FileID> = []
    /// Jobs that have ended in the change at hand, and those that wait again: what comes after them
    /// has not been told.
    var endings: [(job: JobID, state: JobState)] = []
    var reopened: [JobID] = []

    public init(limits: Limits = Limits()) { self.limits = limits }

    public mutating func commit(
        _ changes: [Change],
        at now: Timestamp
    ) throws(Never) -> [Fact] {
        self.now = now
        facts = []
        touchedFiles = []
        for change in changes {
            apply(change)
            tellDependants()
        }
        for file in touchedFiles.sorted(by: { $0.rawValue < $1.rawValue }) where hasEnded(file) {
            facts.append(.fileEnded(file))
        }
        files = files.filter { file in
            !file.value.isClosed || entries.values.contains { $0.file == file.key }
        }
        return facts
    }

    private func hasEnded(_ file: FileID) -> Bool {
        !entries.values.contains { $0.file == file && !$0.job.state.isFinal }
    }

    private mutating func apply(_ change: Change) {
        switch change {
        case .insert(let insertion): insert(insertion)
        case .start(let job, let attempt, let worker, let moment):
            guard var entry = entry(job, after: .started(attempt)) else { return }
            entry.startedAt = moment
            entry.worker = worker
            entries[job] = entry
        case .settle(let report): settle(report)
        case .split(let report, let parts, let ids): split(report, parts, ids)
        case .lose(let job, let attempt, let worker, let reason):
            lose(job, attempt, worker, reason)
        case .spoil(let jobs): facts += jobs.compactMap(soundWork)
        case .spoilWhole(let job, let part): spoilWhole(job, part: part)
        case .cancel(let targets, let ticket): cancel(targets, ticket)
        case .retry(let jobs, let ticket): retry(jobs, ticket)
        case .delete(let jobs, let ticket): delete(jobs, ticket)
        case .close(let targets, let ticket): close(targets, ticket)
        case .setPaused(let paused, let queue, let ticket): setPaused(paused, queue, ticket)
        case .reserve(let id):
            reservedUpTo = max(reservedUpTo, id)
            facts.append(.reserved(upTo: reservedUpTo))
        case .closeFile(let file):
            if hasEnded(file) { files[file]?.isClosed = true }
        case .stage(let staging): stage(staging)
        case .release(let file): release(file)
        case .unstage(let takenAs): unstage(takenAs)
        case .expire(let jobs, let retention, let ticket): expire(jobs, retention, ticket)
        }
    }

    // MARK: - Insertions

    private mutating func insert(_ insertion: Insertion) {
        if let row = insertion.file, stages.values.contains(where: { $0.takenAs == row.takenAs }) {
            return facts.append(.refused(insertion.ticket, .fileChanged))
        }
        if let row = insertion.file,
            let (known, file) = files.first(where: { $0.value.takenAs == row.takenAs })
        {
            touchedFiles.insert(known)
            let accepted = acceptedBefore(insertion, from: file.firstID)
            facts.append(.inserted(insertion.ticket, accepted, known))
            return
        }
        if let refusal = refusal(of: insertion) {
            facts.append(.refused(insertion.ticket, refusal))
            return
        }
        let known = known(of: insertion)
        if let refusal = missingPredecessor(of: insertion, known: known) {
            facts.append(.refused(insertion.ticket, refusal))
            return
        }
        let file = insertFile(of: insertion)
        var accepted: [Accepted] = []
        for (job, id) in zip(insertion.jobs, insertion.ids) {
            if let key = job.key, let (holder, entry) = holder(of: key, insertion.owner) {
                accepted.append(Accepted(id: holder, state: entry.job.state, created: false))
                continue
            }
            let id = JobID(rawValue: id)
            insert(job, as: id)
            link(id, job, of: insertion, known: known)
            entries[id]?.file = file
            entries[id]?.owner = insertion.owner
            queueNames.insert(job.spec.queue)
            accepted.append(Accepted(id: id, state: .queued, created: true))
        }
        facts.append(.inserted(insertion.ticket, accepted, file))
        startDependants(of: insertion, accepted)
    }

    /// The jobs that were submitted before, by their places.
    private func known(of insertion: Insertion) -> [Int: Accepted] {
        var known: [Int: Accepted] = [:]
        for (place, job) in insertion.jobs.enumerated() {
            guard let key = job.key, let (id, entry) = holder(of: key, insertion.owner) else {
                continue
            }
            known[place] = Accepted(id: id, state: entry.job.state, created: false)
        }
        return known
    }

    mutating func insert(_ submission: Submission, as id: JobID) {
        let spec = submission.spec
        let job = Job(
            id: id,
            readyAt: submission.readyAt(now: now),
            writes: spec.writes != nil,
            retry: spec.retry
        )
        var entry = Entry(job: job, spec: spec, createdAt: now)
        entry.key = submission.key
        entry.fingerprint = submission.fingerprint
        entries[id] = entry
        highestID = max(highestID, id.rawValue)
    }

    /// `stage` is that of the file that the jobs are a piece of, which has room for them. `room` is
    /// what they take, if that is not their number. The first `stored` are written.
    func refusal(
        of insertion: Insertion,
        stage own: FileID? = nil,
        room: Int? = nil,
        stored: Int = 0
    ) -> Refusal? {
        let jobs = insertion.jobs
        var keys: Set<[UInt8]> = []
        for (place, job) in jobs.enumerated() {
            if let key = job.key, !keys.insert(Array(key.utf8)).inserted {
                return .duplicateKey(key, at: place)
            }
        }
        var created = 0
        for (place, job) in jobs.enumerated().dropFirst(stored) {
            if let key = job.key, let stage = stage(ofKey: key, insertion.owner) {
                let isOwn = own.flatMap { stages[$0]?.takenAs } == stage.takenAs
                if isOwn { return .duplicateKey(key, at: place) }
                return .keyBeingStored(key, at: jobs.count > 1 ? place : nil)
            }
            guard let key = job.key, let (holder, entry) = holder(of: key, insertion.owner) else {
                created += 1
                continue
            }
            if entry.fingerprint != job.fingerprint {
                return .keyConflict(key, with: holder, at: jobs.count > 1 ? place : nil)
            }
        }
        let open = counts(of: nil).open + stagedJobs + Int64(room ?? created)
        if own == nil, open > limits.waitingJobs {
            return .queueFull(limit: limits.waitingJobs)
        }
        return tooManyQueues(insertion)
    }

    private func tooManyQueues(_ insertion: Insertion) -> Refusal? {
        let jobs = insertion.jobs.filter {
            $0.key.map { holder(of: $0, insertion.owner) } ?? nil == nil
        }
        let names = queueNames.union(stagedQueues)
        let new = Set(jobs.map(\.spec.queue)).subtracting(names)
        let idle = names.filter { queue in
            !pausedQueues.contains(queue) && !stagedQueues.contains(queue)
                && !entries.values.contains { $0.spec.queue == queue }
        }
        let isTooMuch = names.count - idle.count + new.count > limits.queues
        return isTooMuch && !new.isSubset(of: [.standard])
            ? .tooManyQueues(limit: limits.queues) : nil
    }

    func holder(of key: String, _ owner: Owner) -> (JobID, Entry)? {
        entries.first { $0.value.key == key && $0.value.owner == owner }.map { ($0.key, $0.value) }
    }

    func acceptedBefore(_ insertion: Insertion, from firstID: Int64) -> [Accepted] {
        insertion.jobs.enumerated().map { place, job in
            if let key = job.key, let (holder, entry) = holder(of: key, insertion.owner) {
                return Accepted(id: holder, state: entry.job.state, created: false)
            }
            let id = JobID(rawValue: firstID + Int64(place))
            let state = entries[id]?.job.state ?? .cancelled
            return Accepted(id: id, state: state, created: false)
        }
    }

    private mutating func insertFile(of insertion: Insertion) -> FileID? {
        guard let row = insertion.file else { return nil }
        let id = nextFile(insertion.ids.lowerBound)
        files[id] = File(takenAs: row.takenAs, firstID: insertion.ids.lowerBound)
        files[id]?.digest = row.digest
        files[id]?.total = insertion.jobs.count
        touchedFiles.insert(id)
        return id
    }
}
