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
    /// Files whose jobs are being made ready.
    var releasing: Set<FileID> = []
    /// Files of which what was written is being removed, as they are called in `taken/`.
    var removing: Set<String> = []
}

extension Dispatcher {
    /// Goes on with what the last run has begun.
    mutating func continueStages() {
        for file in plan.stages.releasing { release(file) }
        for takenAs in plan.stages.removing { unstage(takenAs) }
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
            release(file)
        }
        let takenAs = piece.row.takenAs
        decisions.notices.append(.staged(takenAs: takenAs, accepted.map(\.id), isAll: isAll))
    }

    /// A file will not come to its end: nothing of it stays.
    mutating func pieceDropped(_ takenAs: String) {
        if stages.current?.row.takenAs == takenAs { stages.current = nil }
        unstage(takenAs)
    }

    private mutating func unstage(_ takenAs: String) {
        guard stages.removing.insert(takenAs).inserted else { return }
        decisions.changes.append(.unstage(takenAs))
    }

    mutating func unstaged(_ takenAs: String, isAll: Bool) {
        stages.removing.remove(takenAs)
        // The next start goes on with what a stop has broken off.
        if !isAll, !stop.isDraining { unstage(takenAs) }
    }

    private mutating func release(_ file: FileID) {
        guard stages.releasing.insert(file).inserted else { return }
        decisions.changes.append(.release(file))
    }

    mutating func released(_ file: FileID, isAll: Bool) {
        needsSurvey = true
        stages.releasing.remove(file)
        if !isAll, !stop.isDraining { release(file) }
    }
}
