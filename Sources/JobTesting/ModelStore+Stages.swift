public import JobCore

/// Files that are written in pieces.
extension ModelStore {
    /// What is written of a file and seen by nobody.
    struct Stage {
        let takenAs: String
        let digest: String
        let firstID: Int64
        let total: Int
        let bytes: Int64
        var staged = 0
        var isBeingRemoved = false
        var entries: [JobID: Entry] = [:]

        /// What is written of the piece means what it meant then.
        func isAlike(_ piece: FilePiece) -> Bool {
            piece.jobs.enumerated().allSatisfy { place, job in
                let id = JobID(rawValue: firstID + Int64(piece.place + place))
                guard piece.place + place < staged, let before = entries[id]?.spec else {
                    return true
                }
                return before.kind == job.spec.kind && before.queue == job.spec.queue
                    && before.writes == job.spec.writes && before.skill == job.spec.skill
                    && before.parts == job.spec.parts && before.timeoutMs == job.spec.timeoutMs
                    && before.body == job.spec.body && before.frames == job.spec.frames
            }
        }

        func contains(_ id: JobID) -> Bool {
            id.rawValue >= firstID && id.rawValue < firstID + Int64(total)
        }
    }

    func isStaged(_ id: JobID) -> Bool { stages.values.contains { $0.contains(id) } }

    /// The stage that has a job of this key.
    func stage(ofKey key: String, _ owner: Owner) -> Stage? {
        stages.values.first { stage in
            stage.entries.values.contains { $0.key == key && $0.owner == owner }
        }
    }

    /// With the room that is kept for those of their jobs that are to come.
    var stagedJobs: Int64 {
        stages.values.reduce(0) { sum, stage in
            let coming = stage.isBeingRemoved ? 0 : stage.total - stage.staged
            return sum + Int64(stage.entries.count + coming)
        }
    }

    var stagedQueues: Set<QueueName> {
        Set(stages.values.flatMap { $0.entries.values.map(\.spec.queue) })
    }

    /// Files of which not all pieces are written, as they are called in `taken/`.
    public var begunFiles: [String] {
        stages.values.filter { !$0.isBeingRemoved }.map(\.takenAs).sorted()
    }

    /// What a start goes on with.
    public var stagesLeft: Recovery.Stages {
        var left = Recovery.Stages()
        left.releasing = files.filter { $0.value.released != nil }.map(\.key)
            .sorted { $0.rawValue < $1.rawValue }
        left.removing = stages.values.filter(\.isBeingRemoved).map(\.takenAs).sorted()
        return left
    }

    // MARK: - Pieces

    mutating func stage(_ staging: Staging) {
        let piece = staging.piece
        let row = piece.row
        if let (id, file) = files.first(where: { $0.value.takenAs == row.takenAs }) {
            guard file.digest == row.digest, file.total == piece.total else {
                return facts.append(.refused(staging.ticket, .fileChanged))
            }
            return tellAgain(staging, id, from: file.firstID, isAll: piece.isLast)
        }
        let found = stages.first { $0.value.takenAs == row.takenAs }
        if let stage = found?.value {
            if stage.isBeingRemoved {
                return facts.append(.refused(staging.ticket, .fileBeingRemoved))
            }
            guard stage.digest == row.digest, stage.total == piece.total else {
                return facts.append(.refused(staging.ticket, .fileChanged))
            }
        }
        let staged = found?.value.staged ?? 0
        guard piece.place <= staged else {
            return facts.append(.refused(staging.ticket, .pieceOutOfStep))
        }
        if let found, !found.value.isAlike(piece) {
            return facts.append(.refused(staging.ticket, .settingsChanged))
        }
        if let found, piece.end <= staged {
            return tellAgain(staging, found.key, from: found.value.firstID, isAll: false)
        }
        write(staging, in: found?.key, stored: staged - piece.place)
    }

    private mutating func tellAgain(
        _ staging: Staging,
        _ file: FileID,
        from first: Int64,
        isAll: Bool
    ) {
        let insertion = staging.insertion(from: first)
        let accepted = acceptedBefore(insertion, from: insertion.ids.lowerBound)
        facts.append(.staged(staging.ticket, accepted, file, isAll: isAll))
        if isAll { touchedFiles.insert(file) }
    }

    private mutating func write(_ staging: Staging, in known: FileID?, stored: Int) {
        let piece = staging.piece
        let first = known.flatMap { stages[$0]?.firstID } ?? staging.ids.lowerBound
        let insertion = staging.insertion(from: first)
        if let refusal = refusal(
            of: insertion,
            stage: known,
            room: piece.total,
            stored: stored
        ) {
            return facts.append(.refused(staging.ticket, refusal))
        }
        let file = known ?? nextFile(first)
        if known == nil { highestID = max(highestID, staging.ids.upperBound) }
        var stage =
            stages[file]
            ?? Stage(
                takenAs: piece.row.takenAs,
                digest: piece.row.digest,
                firstID: first,
                total: piece.total,
                bytes: piece.row.bytes
            )
        let before = acceptedBefore(insertion, from: insertion.ids.lowerBound)
        var accepted = Array(before.prefix(stored))
        for (job, id) in zip(insertion.jobs, insertion.ids).dropFirst(stored) {
            if let key = job.key, let (holder, entry) = holder(of: key, insertion.owner) {
                accepted.append(Accepted(id: holder, state: entry.job.state, created: false))
                continue
            }
            let id = JobID(rawValue: id)
            stage.entries[id] = stagedEntry(job, id, file)
            highestID = max(highestID, id.rawValue)
            accepted.append(Accepted(id: id, state: .queued, created: true))
        }
        stage.staged = piece.end
        stages[file] = stage
        if piece.isLast { open(file, stage) }
        facts.append(.staged(staging.ticket, accepted, file, isAll: piece.isLast))
    }

    private func stagedEntry(_ job: Submission, _ id: JobID, _ file: FileID) -> Entry {
        var standing = Job.Standing(readyAt: job.readyAt(now: now))
        standing.waitsFor = 1
        let spec = job.spec
        var entry = Entry(
            job: Job(id: id, standing: standing, writes: spec.writes != nil, retry: spec.retry),
            spec: spec,
            createdAt: now
        )
        entry.key = job.key
        entry.fingerprint = job.fingerprint
        entry.file = file
        return entry
    }

    private mutating func open(_ file: FileID, _ stage: Stage) {
        stages[file] = nil
        var row = File(takenAs: stage.takenAs, firstID: stage.firstID)
        row.digest = stage.digest
        row.total = stage.total
        row.bytes = stage.bytes
        row.released = 0
        files[file] = row
        entries.merge(stage.entries) { $1 }
        queueNames.formUnion(stage.entries.values.map(\.spec.queue))
        touchedFiles.insert(file)
    }

    func nextFile(_ first: Int64) -> FileID {
        let known = Array(files.keys) + Array(stages.keys)
        return FileID(rawValue: max(first, (known.map(\.rawValue).max() ?? 0) + 1))
    }

    // MARK: - Steps

    mutating func release(_ file: FileID) {
        guard let row = files[file], let released = row.released else {
            return facts.append(.released(file, isAll: true))
        }
        let step = FilePiece.stepJobs(of: Int64(row.total), bytes: row.bytes)
        let next = min(released + Int(step), row.total)
        for place in released..<next {
            let id = JobID(rawValue: row.firstID + Int64(place))
            guard let entry = entries[id], entry.file == file, entry.job.mayBeHeld else { continue }
            let isDelayed = entry.job.readyAt > entry.createdAt
            entries[id]?.job = entry.job.released(by: isDelayed ? nil : now)
        }
        files[file]?.released = next == row.total ? nil : next
        facts.append(.released(file, isAll: next == row.total))
    }

    mutating func unstage(_ takenAs: String) {
        guard let (file, found) = stages.first(where: { $0.value.takenAs == takenAs }) else {
            return facts.append(.unstaged(takenAs, isAll: true))
        }
        var stage = found
        stage.isBeingRemoved = true
        let step = FilePiece.stepJobs(of: Int64(stage.total), bytes: stage.bytes)
        stage.staged = max(0, stage.staged - Int(step))
        let end = stage.firstID + Int64(stage.staged)
        stage.entries = stage.entries.filter { $0.key.rawValue < end }
        stages[file] = stage.staged == 0 ? nil : stage
        facts.append(.unstaged(takenAs, isAll: stage.staged == 0))
    }

    /// A job that waits for nothing but the rest of its file is shown as it will be.
    func shown(_ entry: Entry) -> Job {
        guard entry.job.mayBeHeld, let file = entry.file.flatMap({ files[$0] }),
            let released = file.released,
            entry.job.id.rawValue >= file.firstID + Int64(released)
        else { return entry.job }
        return entry.job.released
    }
}

extension Job {
    fileprivate var released: Job { released(by: nil) }

    /// Ready by then at the latest.
    fileprivate func released(by latest: Timestamp?) -> Job {
        var standing = standing
        standing.waitsFor = 0
        if let latest { standing.readyAt = min(standing.readyAt, latest) }
        return Job(id: id, standing: standing, writes: writes, retry: retry)
    }
}

extension Staging {
    fileprivate func insertion(from first: Int64) -> Insertion {
        let from = first + Int64(piece.place)
        return Insertion(
            jobs: piece.jobs,
            ids: from...(from + Int64(piece.jobs.count) - 1),
            ticket: ticket
        )
    }
}
