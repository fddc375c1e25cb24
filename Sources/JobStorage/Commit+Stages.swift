internal import JobCore
internal import SQLite

/// Files that hold more jobs than one submission: they are written piece by piece.
///
/// ```
///            stage, piece by piece          the last piece           release, in steps
///   (spool) ----------------------> loading ---------------> opening -----------------> loaded
///                                      |  unstage, in steps
///                                      `------------------> removing ----> (no row)
/// ```
/// Until the last piece is written nobody sees a job of the file, and none counts but for the limit
/// of jobs that wait: the ledger knows which ids they have. The first piece takes the room of all,
/// so that no two files can wait for each other's. The transaction of the last piece turns
/// one row of the ledger, and writes the counters: from then on all of them are seen. They cannot
/// start before they are released, for as long each waits for its file as for another job.
extension Commit {
    mutating func stage(_ staging: Staging) throws(SQLiteError) {
        let piece = staging.piece
        let found = try stage(takenAs: piece.row.takenAs)
        if let refusal = found?.refusal(of: piece) ?? (found == nil ? lost(piece) : nil) {
            facts.append(.refused(staging.ticket, refusal))
        } else if let found, try !isAsBefore(staging, found) {
            facts.append(.refused(staging.ticket, .settingsChanged))
        } else if let found, found.stored(of: piece) == piece.jobs.count {
            try tellAgain(staging, found)
        } else {
            try stage(staging, in: found)
        }
    }

    /// A file is begun with its first piece.
    private func lost(_ piece: FilePiece) -> Refusal? { piece.place == 0 ? nil : .pieceOutOfStep }

    /// Whether those jobs of the piece that are stored would be stored alike today. What a job
    /// means depends on the settings, too, and its file shall be of one piece.
    private func isAsBefore(
        _ staging: Staging,
        _ stage: Stage
    ) throws(SQLiteError) -> Bool {
        guard stage.phase == .loading else { return true }
        let first = stage.first + Int64(staging.piece.place)
        let jobs = staging.piece.jobs.prefix(stage.stored(of: staging.piece))
        for (id, job) in zip((first...).lazy.map(JobID.init), jobs) {
            let statement = try changes.with(.stagedJob, id.rawValue, stage.file.rawValue)
            // There is none where another had the key.
            let isAlike = try statement.first {
                $0.isAlike(job.spec, as: id)
            }
            if isAlike == false { return false }
        }
        return true
    }

    private mutating func tellAgain(
        _ staging: Staging,
        _ stage: Stage
    ) throws(SQLiteError) {
        let isAll = staging.piece.isLast && !stage.isUnseen
        let accepted = try acceptedBefore(
            staging.insertion(from: stage.first),
            from: stage.first + Int64(staging.piece.place)
        )
        facts.append(.staged(staging.ticket, accepted, stage.file, isAll: isAll))
        // Says once more when all have ended.
        if isAll { openOfFiles[stage.file, default: 0] += 0 }
    }

    private mutating func stage(
        _ staging: Staging,
        in found: Stage?
    ) throws(SQLiteError) {
        let piece = staging.piece
        let insertion = staging.insertion(from: found?.first ?? staging.ids.lowerBound)
        let stored = found?.stored(of: piece) ?? 0
        var known: [Int: Accepted]
        switch try knownJobs(of: insertion, stage: found, stored: stored) {
        case .success(let jobs): known = jobs
        case .failure(let refusal): return facts.append(.refused(staging.ticket, refusal))
        }
        let before = try acceptedBefore(insertion, from: insertion.ids.lowerBound, count: stored)
        for (place, accepted) in before.enumerated() { known[place] = accepted }
        let hasRoom = marks.takenJobs + Int64(piece.total) <= limits.waitingJobs
        guard found != nil || hasRoom else {
            return facts.append(.refused(staging.ticket, .queueFull(limit: limits.waitingJobs)))
        }
        guard try makeQueues(of: insertion, known: known) else {
            return facts.append(.refused(staging.ticket, .tooManyQueues(limit: limits.queues)))
        }
        var stage: Stage
        if let found { stage = found } else { stage = try insertStage(staging) }
        let accepted = try insertJobs(of: insertion, known: known, stage: stage.file)
        stage.staged = Int64(piece.end)
        stage.open += Int64(piece.jobs.count - known.count)
        stage.phase = piece.isLast ? .opening : .loading
        try save(stage)
        if piece.isLast { try open(stage) }
        facts.append(.staged(staging.ticket, accepted, stage.file, isAll: piece.isLast))
    }

    private mutating func insertJobs(
        of insertion: Insertion,
        known: [Int: Accepted],
        stage file: FileID
    ) throws(SQLiteError) -> [Accepted] {
        var accepted: [Accepted] = []
        accepted.reserveCapacity(insertion.jobs.count)
        var counts: [QueueName: Int64] = [:]
        for (place, submission) in insertion.jobs.enumerated() {
            if let before = known[place] {
                accepted.append(before)
                continue
            }
            let id = JobID(rawValue: insertion.ids.lowerBound + Int64(place))
            let owner = insertion.owner
            try insert(submission, as: id, of: .client(owner), file: file, waitsFor: 1)
            counts[submission.spec.queue, default: 0] += 1
            accepted.append(Accepted(id: id, state: .queued, created: true))
        }
        for (queue, jobs) in counts {
            var values = Parameters(of: changes[.countStaged])
            try values.add(file.rawValue)
            try values.add(queue.rawValue)
            try values.add(jobs)
            try values.statement.run()
        }
        return accepted
    }

    /// All jobs of the file are seen, and count, from now on.
    private mutating func open(_ stage: Stage) throws(SQLiteError) {
        let file = stage.file.rawValue
        let queues = try changes.with(.stagedQueues, file).all { statement throws(SQLiteError) in
            var row = Row(of: statement)
            return (name: try row.word(QueueName.self), jobs: row.integer())
        }
        for queue in queues { counts[queue.name, default: JobCounts()].queued += queue.jobs }
        try changes.with(.deleteStagedQueues, file).run()
        marks.openJobs += stage.open
        openOfFiles[stage.file, default: 0] += 0
    }

    // MARK: Steps

    /// Makes the next jobs of a file ready that is written to its end.
    mutating func release(_ file: FileID) throws(SQLiteError) {
        guard var stage = try stage(of: file), stage.phase == .opening, !stage.isDamaged else {
            return facts.append(.released(file, isAll: true))
        }
        let from = stage.first + stage.released
        stage.released = min(stage.released + stage.stepJobs, stage.total)
        let last = stage.first + stage.released - 1
        try changes.with(.releaseJobs, now.rawValue, from, last, file.rawValue).run()
        if stage.released == stage.total { stage.phase = .loaded }
        var values = Parameters(of: changes[.saveReleased])
        try values.add(stage.phase.rawValue)
        try values.add(stage.released)
        try values.add(file.rawValue)
        try values.statement.run()
        facts.append(.released(file, isAll: stage.phase == .loaded))
    }

    /// Removes the last jobs of a file that is not written to its end, and, with the first of its
    /// jobs, its row.
    mutating func unstage(_ takenAs: String) throws(SQLiteError) {
        guard var stage = try stage(takenAs: takenAs), stage.isUnseen, !stage.isDamaged else {
            return facts.append(.unstaged(takenAs, isAll: true))
        }
        let file = stage.file.rawValue
        let last = stage.first + stage.staged - 1
        stage.staged = max(0, stage.staged - stage.stepJobs)
        let from = stage.first + stage.staged
        try changes.with(.deleteStagedInputs, from, last).run()
        try changes.with(.deleteStagedJobs, from, last, file).run()
        stage.open -= Int64(reader.connection.changes)
        stage.phase = .removing
        try save(stage)
        guard stage.staged == 0 else {
            return facts.append(.unstaged(takenAs, isAll: false))
        }
        try changes.with(.deleteStagedQueues, file).run()
        try changes.with(.deleteStage, file).run()
        marks.stages[stage.file] = nil
        facts.append(.unstaged(takenAs, isAll: true))
    }

    // MARK: Rows

    private func stage(takenAs: String) throws(SQLiteError) -> Stage? {
        let statement = changes[.fileByName]
        try statement.bind(text: takenAs, at: 1)
        return try statement.first(Stage.init)?.checked(upTo: marks.highestID)
    }

    private func stage(of file: FileID) throws(SQLiteError) -> Stage? {
        try changes.with(.stage, file.rawValue).first(Stage.init)?.checked(upTo: marks.highestID)
    }

    private mutating func insertStage(_ staging: Staging) throws(SQLiteError) -> Stage {
        let row = staging.piece.row
        var values = Parameters(of: changes[.insertStage])
        try values.add(staging.ids.lowerBound)
        try values.add(row.name)
        try values.add(row.takenAs)
        try values.add(row.bytes)
        try values.add(row.digest)
        try values.add(now)
        try values.add(staging.piece.total)
        try values.statement.run()
        // Its later pieces may come in a later run, which must not give their ids to others.
        marks.highestID = max(marks.highestID, staging.ids.upperBound)
        var stage = Stage(
            file: FileID(rawValue: reader.connection.lastInsertRowID),
            first: staging.ids.lowerBound,
            total: Int64(staging.piece.total),
            digest: row.digest
        )
        stage.bytes = row.bytes
        return stage
    }

    private mutating func save(_ stage: Stage) throws(SQLiteError) {
        var values = Parameters(of: changes[.saveStage])
        try values.add(stage.phase.rawValue)
        try values.add(stage.staged)
        try values.add(stage.open)
        try values.add(stage.file.rawValue)
        try values.statement.run()
        marks.stages[stage.file] = stage.isUnseen ? stage : nil
    }
}

extension Statement {
    /// Whether a row of `Changes.stagedJob` is what this would be written as.
    fileprivate func isAlike(_ spec: Spec, as id: JobID) -> Bool {
        var spec = spec
        spec.salt = isNull(0) ? nil : integer(0)
        return Checksum.isSum(integer(1), of: spec, job: id)
            && text(2) == Turns(writes: spec.writes, skill: spec.skill).text
    }
}

extension Staging {
    /// The piece as an insertion, when the first job of the file has this id.
    fileprivate func insertion(from first: Int64) -> Insertion {
        let from = first + Int64(piece.place)
        return Insertion(
            jobs: piece.jobs,
            ids: from...(from + Int64(piece.jobs.count) - 1),
            ticket: ticket
        )
    }
}
