// What the dispatcher does with files that hold more jobs than one submission: they are written
// piece by piece, seen when all is written, and made ready, or removed, in small steps.

/// What is known of files that are written in pieces.
struct Stages {
    /// The one whose pieces are coming: the spool brings one such file after the other.
    struct Current {
        let row: TakenFile.Row
        let ids: ClosedRange<Int64>
        var staged = 0

        var progress: FileProgress {
            FileProgress(name: row.name, staged: staged, total: ids.count)
        }
    }

    var current: Current?
    /// What is to be done for a file, step by step.
    enum Work: Hashable {
        /// Its jobs are being made ready.
        case release(FileID)
        /// What was written of it is being removed. So it is called in `taken/`.
        case remove(String)
    }

    /// Each has a step in its turn, so that no file waits for the end of another.
    var works = Rotation<Work>()
    /// A step of this one is under way. There is one at a time: whoever else writes waits for no
    /// more.
    var underWay: Work?
}

extension Dispatcher {
    /// Goes on with what the last run has begun.
    mutating func continueStages() {
        for file in plan.stages.releasing { stages.works.add(.release(file)) }
        for takenAs in plan.stages.removing { stages.works.add(.remove(takenAs)) }
        nextStep()
    }

    /// As soon as there are ids for all jobs of the file.
    mutating func stage(_ piece: FilePiece, _ purpose: Purpose) {
        if stages.current?.row != piece.row {
            guard let ids = ids.take(piece.total) else {
                if let unwritable { return giveUp(purpose, unwritable) }
                return held.append(purpose)
            }
            stages.current = Stages.Current(row: piece.row, ids: ids)
        }
        guard let ids = stages.current?.ids, !piece.jobs.isEmpty else { return }
        var piece = piece
        let first = ids.lowerBound + Int64(piece.place)
        piece.jobs = salted(piece.jobs, ids: first...(first + Int64(piece.jobs.count) - 1))
        let staging = Staging(piece: piece, ids: ids, ticket: ticket(for: purpose))
        decisions.changes.append(.stage(staging))
    }

    mutating func staged(_ ticket: Ticket, _ accepted: [Accepted], _ file: FileID, isAll: Bool) {
        guard let purpose = pending.removeValue(forKey: ticket), case .piece(let piece) = purpose
        else { return }
        unwrittenBytes -= purpose.jobs.weight
        stages.current?.staged = piece.end
        if isAll {
            stages.current = nil
            begin(.release(file))
        }
        let takenAs = piece.row.takenAs
        decisions.notices.append(.staged(takenAs: takenAs, accepted.map(\.id), isAll: isAll))
    }

    /// A file will not come to its end: nothing of it stays.
    mutating func pieceDropped(_ takenAs: String) {
        if stages.current?.row.takenAs == takenAs { stages.current = nil }
        begin(.remove(takenAs))
    }

    // MARK: Steps

    private mutating func begin(_ work: Stages.Work) {
        guard stages.underWay != work else { return }
        stages.works.add(work)
        nextStep()
    }

    /// The next start goes on with what a stop has broken off.
    private mutating func nextStep() {
        guard stages.underWay == nil, !stop.isDraining, let work = stages.works.next() else {
            return
        }
        stages.underWay = work
        switch work {
        case .release(let file): decisions.changes.append(.release(file))
        case .remove(let takenAs): decisions.changes.append(.unstage(takenAs))
        }
    }

    private mutating func stepped(_ work: Stages.Work, isAll: Bool) {
        if stages.underWay == work { stages.underWay = nil }
        if !isAll { stages.works.add(work) }
        nextStep()
    }

    mutating func unstaged(_ takenAs: String, isAll: Bool) {
        stepped(.remove(takenAs), isAll: isAll)
    }

    mutating func released(_ file: FileID, isAll: Bool) {
        needsSurvey = true
        stepped(.release(file), isAll: isAll)
    }
}
