internal import JobCore
internal import SQLite

/// One transaction: changes go in, rows and facts come out.
///
/// Every change of a job is read the row, ask `Job.apply`, write what it decided. Dropped, with all
/// it has counted, when the transaction does not succeed.
struct Commit {
    let changes: Prepared<Changes>
    let reader: StoreReader
    let limits: Limits
    let now: Timestamp
    var marks: Marks
    var facts: [Fact] = []
    /// How many more (or fewer) jobs of each queue there are in each state.
    var counts: [QueueName: JobCounts] = [:]
    /// Likewise, jobs of each file that have not ended.
    var openOfFiles: [FileID: Int64] = [:]
    /// Files that may have no jobs left.
    var leftFiles: Set<FileID> = []
    /// Successes of jobs that this transaction may write as well.
    private(set) var ends: [JobID: Report] = [:]
    /// Jobs that have ended in the change at hand, and of which what comes after them has not been
    /// told.
    var endings: [Ending] = []
    /// Ended jobs that wait again, likewise.
    var reopened: [JobID] = []
    /// Jobs that were written as they end.
    var bornEnded: Set<JobID> = []
    private let marksBefore: Marks

    init(
        changes: Prepared<Changes>,
        reader: StoreReader,
        limits: Limits,
        now: Timestamp,
        marks: Marks
    ) {
        self.changes = changes
        self.reader = reader
        self.limits = limits
        self.now = now
        self.marks = marks
        marksBefore = marks
    }

    mutating func apply(_ changes: [Change]) throws(SQLiteError) {
        facts.reserveCapacity(changes.count)
        ends = Self.ends(in: changes)
        for change in changes {
            try apply(change)
            try tellDependants()
        }
        try writeTally()
    }

    private mutating func apply(_ change: Change) throws(SQLiteError) {
        switch change {
        case .insert(let insertion): try insert(insertion)
        case .start(let job, let attempt, let worker, let moment):
            try start(job, attempt, worker, at: moment)
        case .settle(let report): try settle(report)
        case .split(let report, let parts, let ids): try split(report, parts, ids)
        case .lose(let job, let attempt, let worker, let reason):
            try lose(job, attempt, worker, reason)
        case .spoil(let jobs): try spoil(jobs)
        case .spoilWhole(let job, let part): try spoilWhole(job, part: part)
        case .cancel(let targets, let ticket): try cancel(targets, ticket)
        case .retry(let jobs, let ticket): try retry(jobs, ticket)
        case .delete(let jobs, let ticket): try delete(jobs, ticket)
        case .close(let targets, let ticket): try close(targets, ticket)
        case .setPaused(let paused, let queue, let ticket): try setPaused(paused, queue, ticket)
        case .reserve(let id):
            marks.reservedUpTo = max(marks.reservedUpTo, id)
            facts.append(.reserved(upTo: marks.reservedUpTo))
        case .closeFile(let file):
            try changes.with(.closeFile, file.rawValue).run()
            leftFiles.insert(file)
        case .stage(let staging): try stage(staging)
        case .release(let file): try release(file)
        case .unstage(let takenAs): try unstage(takenAs)
        case .expire(let jobs, let retention, let ticket): try expire(jobs, retention, ticket)
        }
    }

    // MARK: - Rows

    /// A job as its row has it, or as it shall be.
    struct Stored {
        var job: Job
        var queue: QueueName
        var parent: JobID?
        var part: Int?
        var file: FileID?
        var startedAt: Timestamp?
        var worker: WorkerID?
        let submittedAt: Timestamp
        let onFailure: OnFailure
        /// How many jobs it comes after.
        let dependencies: Int64
    }

    /// Nil for a row that makes no sense: nothing can be said of the job, and the others go on.
    /// Likewise for a job that nobody sees yet, or whose file nobody knows any more how far it is.
    func fetch(_ id: JobID) throws(SQLiteError) -> Stored? {
        if marks.isStaged(id) { return nil }
        do {
            let found = try stored(id)
            let isLost = found?.file.flatMap { marks.stages[$0] }?.isDamaged ?? false
            return isLost && found?.job.mayBeHeld ?? false ? nil : found
        } catch {
            guard error.isDamage else { throw error }
            return nil
        }
    }

    private func stored(_ id: JobID) throws(SQLiteError) -> Stored? {
        try changes.with(.job, id.rawValue).first { statement throws(SQLiteError) in
            var row = Row(of: statement)
            let stored = Stored(
                job: try row.job(),
                queue: try row.word(),
                parent: row.optionalInteger().map(JobID.init),
                part: row.optionalInteger().map { Int(clamping: $0) },
                file: row.optionalInteger().map(FileID.init),
                startedAt: row.optionalMoment(),
                worker: row.optionalInteger().map { WorkerID(rawValue: Int(clamping: $0)) },
                submittedAt: row.moment(),
                onFailure: try row.word(),
                dependencies: row.integer()
            )
            try row.check()
            return stored
        }
    }

    /// Writes what `Job.apply` has decided over the row that was read.
    mutating func update(_ before: Job, to stored: Stored) throws(SQLiteError) {
        let job = stored.job
        var values = Parameters(of: changes[.updateJob])
        try values.add(job.state.rawValue)
        try values.add(job.attempt.rawValue)
        try values.add(job.failures)
        try values.add(job.losses)
        try values.add(job.readyAt)
        try values.add(job.waitsFor)
        try values.add(job.isSplit)
        try values.add(job.cancelRequested)
        try values.add(stored.startedAt)
        try values.add(job.state.isFinal ? now : nil)
        try values.add(stored.worker.map { Int64($0.rawValue) })
        try values.add(job.id)
        try values.add(before.state.rawValue)
        try values.add(before.attempt.rawValue)
        try values.statement.run()
        guard reader.connection.changes == 1 else {
            throw .damage("the row of job \(job.id.rawValue) was read and is not there")
        }
        count(stored, from: before.state)
    }

    // MARK: - Counting

    /// Children are hidden: they count for their parent, and as parts.
    private mutating func count(_ stored: Stored, from before: JobState) {
        let state = stored.job.state
        guard state != before else { return }
        guard stored.parent == nil else {
            if state.isFinal != before.isFinal { marks.openParts += state.isFinal ? -1 : 1 }
            return
        }
        add(-1, in: before, of: stored.queue, stored.file)
        add(1, in: state, of: stored.queue, stored.file)
    }

    /// A job of no file has ended at once.
    mutating func countSuccess(of queue: QueueName) {
        counts[queue, default: JobCounts()].queued -= 1
        counts[queue, default: JobCounts()].succeeded += 1
        marks.openJobs -= 1
    }

    mutating func add(_ jobs: Int64, in state: JobState, of queue: QueueName, _ file: FileID?) {
        counts[queue, default: JobCounts()][state] += jobs
        guard !state.isFinal else { return }
        marks.openJobs += jobs
        if let file { openOfFiles[file, default: 0] += jobs }
    }

    /// Writes what was counted, once for each row, at the end of the transaction.
    mutating func writeTally() throws(SQLiteError) {
        try writeCounts()
        if marks.highestID != marksBefore.highestID
            || marks.reservedUpTo != marksBefore.reservedUpTo
            || marks.openParts != marksBefore.openParts
        {
            let marks = [marks.highestID, marks.reservedUpTo, marks.openParts]
            try changes.with(.saveMarks, marks[0], marks[1], marks[2]).run()
        }
        for (file, difference) in openOfFiles.sorted(by: { $0.key.rawValue < $1.key.rawValue })
        where marks.stages[file]?.isDamaged != true {
            let open = try changes.with(.countFile, difference, file.rawValue)
                .all { $0.integer(0) }.first
            if open == 0 { facts.append(.fileEnded(file)) }
        }
        for file in leftFiles { try changes.with(.deleteFile, file.rawValue).run() }
    }

    /// Queues without jobs are forgotten, unless they are paused.
    mutating func forgetIdleQueues() throws(SQLiteError) {
        try writeCounts()
        try changes[.deleteIdleQueues].run()
        marks.queues = try Marks.queues(by: changes)
    }

    mutating func writeCounts() throws(SQLiteError) {
        for (queue, counts) in counts {
            if try write(counts, of: queue, by: .countQueue) == 0 {
                try write(counts, of: queue, by: .insertQueue)
            }
        }
        counts = [:]
    }

    @discardableResult
    private func write(
        _ counts: JobCounts,
        of queue: QueueName,
        by change: Changes
    ) throws(SQLiteError) -> Int {
        var values = Parameters(of: changes[change])
        for state in JobState.allCases { try values.add(counts[state]) }
        try values.add(queue.rawValue)
        try values.statement.run()
        return reader.connection.changes
    }
}
