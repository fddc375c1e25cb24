internal import JobCore
internal import SQLite

/// New jobs: from clients, from files, and as parts of others.
extension Commit {
    mutating func insert(_ insertion: Insertion) throws(SQLiteError) {
        precondition(insertion.ids.count == insertion.jobs.count, "each job has an id")

        if let file = insertion.file, let (known, firstID) = try fileTaken(as: file.takenAs) {
            if let stage = marks.stages[known] {
                let refusal = stage.isDamaged ? Refusal.fileDamaged : .fileChanged
                facts.append(.refused(insertion.ticket, refusal))
                return
            }
            let accepted = try acceptedBefore(insertion, from: firstID)
            facts.append(.inserted(insertion.ticket, accepted, known))
            openOfFiles[known, default: 0] += 0  // Says once more when all have ended.
            return
        }
        switch try knownJobs(of: insertion) {
        case .failure(let refusal): facts.append(.refused(insertion.ticket, refusal))
        case .success(let known):
            let created = insertion.jobs.count - known.count
            guard marks.takenJobs + Int64(created) <= limits.waitingJobs else {
                let refusal = Refusal.queueFull(limit: limits.waitingJobs)
                facts.append(.refused(insertion.ticket, refusal))
                return
            }
            guard try makeQueues(of: insertion, known: known) else {
                let refusal = Refusal.tooManyQueues(limit: limits.queues)
                facts.append(.refused(insertion.ticket, refusal))
                return
            }
            if let refusal = try missingPredecessor(of: insertion, known: known) {
                facts.append(.refused(insertion.ticket, refusal))
                return
            }
            let file = try insertFile(of: insertion, openJobs: created)
            let accepted = try insertJobs(of: insertion, known: known, file: file)
            facts.append(.inserted(insertion.ticket, accepted, file))
            try startDependants(of: insertion, accepted)
        }
    }

    /// - Returns: False when there would be too many. The standard queue is always to be had.
    mutating func makeQueues(
        of insertion: Insertion,
        known: [Int: Accepted]
    ) throws(SQLiteError) -> Bool {
        var new: Set<QueueName> = []
        var last: QueueName?
        for (place, job) in insertion.jobs.enumerated()
        where job.spec.queue != last && known[place] == nil {
            if !marks.queues.contains(job.spec.queue) { new.insert(job.spec.queue) }
            last = job.spec.queue
        }
        guard !new.isEmpty else { return true }
        if marks.queues.count + new.count > limits.queues { try forgetIdleQueues() }
        guard marks.queues.count + new.count <= limits.queues || new == [.standard] else {
            return false
        }
        marks.queues.formUnion(new)
        return true
    }

    private mutating func insertJobs(
        of insertion: Insertion,
        known: [Int: Accepted],
        file: FileID?
    ) throws(SQLiteError) -> [Accepted] {
        var accepted: [Accepted] = []
        accepted.reserveCapacity(insertion.jobs.count)
        for (place, submission) in insertion.jobs.enumerated() {
            if let before = known[place] {
                accepted.append(before)
                continue
            }
            let id = JobID(rawValue: insertion.ids.lowerBound + Int64(place))
            let links = try links(of: submission, in: insertion, known: known)
            try insert(
                submission,
                as: id,
                of: .client(insertion.owner),
                file: file,
                waitsFor: links.count(where: \.isWaitedFor)
            )
            for link in links { try insert(link, of: id) }
            counts[submission.spec.queue, default: JobCounts()].queued += 1
            accepted.append(Accepted(id: id, state: .queued, created: true))
        }
        marks.openJobs += Int64(insertion.jobs.count - known.count)
        return accepted
    }

    /// Whose job a new one is, or whose child, and which.
    enum Descent {
        case client(Owner)
        /// Its `sums` are those of the frames that it shares with the others.
        case child(of: Job, part: Int, Owner, sums: [Int: [UInt8]])
    }

    mutating func insert(
        _ submission: Submission,
        as id: JobID,
        of descent: Descent,
        file: FileID?,
        waitsFor: Int = 0
    ) throws(SQLiteError) {
        let spec = submission.spec
        let end = ends[id].flatMap { file == nil && $0.queue == spec.queue ? $0 : nil }
        var values = Parameters(of: changes[end == nil ? .insertJob : .insertEnded])
        try values.add(id)
        if case .child(let parent, _, _, _) = descent {
            try values.add(parent.partsReadyAt(now: now))
        } else {
            try values.add(submission.readyAt(now: now))
        }
        try values.add(now)
        try values.add(spec)
        try values.add(submission.key)
        try values.add(Int64(bitPattern: submission.fingerprint))
        let owner: Owner
        var sums: [Int: [UInt8]] = [:]
        switch descent {
        case .client(let client):
            owner = client
            try values.add(Int64?.none)
            try values.add(Int64?.none)
        case .child(let parent, let part, let parentOwner, let shared):
            (owner, sums) = (parentOwner, shared)
            try values.add(parent.id)
            try values.add(part)
        }
        try values.add(file?.rawValue)
        try values.add(spec.frames.count)
        try values.add(owner.rawValue)
        try values.add(Checksum.of(spec, job: id))
        try values.add(Turns(writes: spec.writes, skill: spec.skill).text)
        try values.add(waitsFor)
        try values.add(submission.after.count)
        try values.add(submission.onFailure.rawValue)
        if let end {
            try values.add(end.startedAt)
            try values.add(end.worker.rawValue)
            bornEnded.insert(id)
        }
        try values.run(lendingText: spec.body)
        try insertInputs(of: id, spec.frames, sums)
        marks.highestID = max(marks.highestID, id.rawValue)
    }

    // MARK: - Keys

    /// The jobs that were submitted before, by their place; or why all are refused. `stage` is what
    /// was written before of their file, the first `stored` of them among it.
    func knownJobs(
        of insertion: Insertion,
        stage: Stage? = nil,
        stored: Int = 0
    ) throws(SQLiteError) -> Result<[Int: Accepted], Refusal> {
        let jobs = insertion.jobs
        var known: [Int: Accepted] = [:]
        var keys: Set<[UInt8]> = []
        for (place, job) in jobs.enumerated() {
            guard let key = job.key else { continue }
            guard keys.insert(Array(key.utf8)).inserted else {
                return .failure(.duplicateKey(key, at: place))
            }
        }
        guard !keys.isEmpty else { return .success([:]) }

        for (place, job) in jobs.enumerated().dropFirst(stored) {
            guard let key = job.key,
                let (accepted, fingerprint) = try holder(of: key, insertion.owner)
            else { continue }
            if let other = marks.stage(around: accepted.id) {
                if other.file == stage?.file { return .failure(.duplicateKey(key, at: place)) }
                // It would wait for ever.
                if other.isDamaged { return .failure(.fileDamaged) }
                return .failure(.keyBeingStored(key, at: jobs.count > 1 ? place : nil))
            }
            guard fingerprint == job.fingerprint else {
                let place = jobs.count > 1 ? place : nil
                return .failure(.keyConflict(key, with: accepted.id, at: place))
            }
            known[place] = accepted
        }
        return .success(known)
    }

    private func holder(
        of key: String,
        _ owner: Owner
    ) throws(SQLiteError) -> (Accepted, fingerprint: UInt64)? {
        let statement = changes[.jobByKey]
        try statement.bind(text: owner.rawValue, at: 1)
        try statement.bind(text: key, at: 2)
        return try statement.first { statement throws(SQLiteError) in
            var row = Row(of: statement)
            let accepted = Accepted(id: row.id(), state: try row.word(), created: false)
            return (accepted, UInt64(bitPattern: row.integer()))
        }
    }

    // MARK: - Files

    private func fileTaken(
        as name: String
    ) throws(SQLiteError) -> (FileID, firstID: Int64)? {
        let statement = changes[.fileByName]
        try statement.bind(text: name, at: 1)
        return try statement.first { (FileID(rawValue: $0.integer(0)), $0.integer(1)) }
    }

    /// What the first taking of the file was told. A job that is gone has ended, and how is not
    /// known any more: it says cancelled, since there is no result.
    func acceptedBefore(
        _ insertion: Insertion,
        from firstID: Int64,
        count: Int = .max
    ) throws(SQLiteError) -> [Accepted] {
        var accepted: [Accepted] = []
        for (place, job) in insertion.jobs.prefix(count).enumerated() {
            if let key = job.key, let (holder, _) = try holder(of: key, insertion.owner),
                !marks.isStaged(holder.id)
            {
                accepted.append(holder)
            } else {
                let id = JobID(rawValue: firstID + Int64(place))
                let state = try fetch(id)?.job.state ?? .cancelled
                accepted.append(Accepted(id: id, state: state, created: false))
            }
        }
        return accepted
    }

    private mutating func insertFile(
        of insertion: Insertion,
        openJobs: Int
    ) throws(SQLiteError) -> FileID? {
        guard let file = insertion.file else { return nil }
        var values = Parameters(of: changes[.insertFile])
        // Its number, too, unless that is taken: no file of this run ever had it. What is said of a
        // file that is gone must not be taken for another's.
        try values.add(insertion.ids.lowerBound)
        try values.add(file.name)
        try values.add(file.takenAs)
        try values.add(file.bytes)
        try values.add(file.digest)
        try values.add(now)
        try values.add(insertion.jobs.count)
        try values.add(openJobs)
        try values.statement.run()
        let id = FileID(rawValue: reader.connection.lastInsertRowID)
        openOfFiles[id] = 0
        return id
    }
}
