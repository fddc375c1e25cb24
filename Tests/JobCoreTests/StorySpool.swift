import JobTesting

@testable import JobCore

/// The jobs directory of a story, and the thread that moves its files on.
///
/// Where the files lie outlives a crash; what is in hand does not.
struct StorySpool {
    enum Place: Equatable { case dropped, taken(as: String), done([JobID]), refused }

    enum Stage {
        case waiting, filed, accepted([JobID]), refused
        /// Its pieces come one by one; these have their ids. The next one may be on its way.
        case pieces([JobID], isWaiting: Bool)
    }

    struct File {
        let jobs: [Submission]
        /// Its jobs come piece by piece, one in each.
        let isLarge: Bool
        var place = Place.dropped
    }

    // On disk:
    var files: [File] = []
    var results: Set<FileID> = []
    var lastClaim = 0
    // In memory, by the place in `files`:
    var inHand: [Int: Stage] = [:]
    var ended: [FileID] = []
    var notices: [FileNotice] = []
    /// Files that an earlier run has begun to store.
    var begun: [String] = []
    /// Files that were refused for now: others have their turn first.
    var passed: Set<Int> = []
    // What an observer knows:
    var written: [String: Written] = [:]
    /// What is written of files whose last piece is not.
    var staged: [String: [Accepted]] = [:]
    /// The jobs in it that were made for their file.
    var specs: [JobID: Submission] = [:]
    var hasEnded: Set<FileID> = []

    struct Written {
        let id: FileID?
        let jobs: [Accepted]
    }

    /// One large file is read after the other.
    var hasPieces: Bool {
        inHand.values.contains { if case .pieces = $0 { true } else { false } }
    }

    var isBusy: Bool {
        !notices.isEmpty || !begun.isEmpty || !ended.isEmpty || !inHand.isEmpty
            || files.contains { $0.place == .dropped }
    }

    mutating func restart(_ endedFiles: [FileID], begun: [String]) {
        self.begun = begun
        inHand = [:]
        notices = []
        ended = endedFiles
        for (place, file) in files.enumerated() {
            if case .taken = file.place { inHand[place] = .waiting }
        }
    }

    mutating func nextWaiting() -> Int? {
        let waiting = inHand.filter { if case .waiting = $0.value { true } else { false } }.keys
        if passed.isSuperset(of: waiting) { passed = [] }
        return waiting.filter { !passed.contains($0) }.min()
    }

    func place(of takenAs: String) -> Int? {
        files.firstIndex { $0.place == .taken(as: takenAs) }
    }
}

extension StoryWorld {
    /// One step of one file. Any of them may be the last before a crash.
    mutating func moveFiles() throws(Violation) {
        guard !hasExited else { return }
        switch Int.random(in: 0..<7, using: &chance) {
        case 0 where weather.faults: drop()
        case 1: claim()
        case 2: try file()
        case 3: try hearNotice()
        case 4: putAway()
        default: try writeResults()
        }
        guard !weather.faults else { return }
        claim()
        try file()
        try hearNotice()
        putAway()
        try writeResults()
    }

    private mutating func drop() {
        var jobs = jobs(Int.random(in: 1...3, using: &chance))
        let isLarge = Int.random(in: 0..<3, using: &chance) == 0
        if isLarge { for place in jobs.indices { jobs[place].after = [] } }
        note("file \(spool.files.count) is dropped\(isLarge ? ", a large one" : "")")
        spool.files.append(StorySpool.File(jobs: jobs, isLarge: isLarge))
    }

    private mutating func claim() {
        guard let place = spool.files.firstIndex(where: { $0.place == .dropped }) else { return }
        spool.lastClaim += 1
        let takenAs = "\(run)-\(spool.lastClaim)"
        note("file \(place) is taken as \(takenAs)")
        spool.files[place].place = .taken(as: takenAs)
        spool.inHand[place] = .waiting
    }

    private mutating func file() throws(Violation) {
        try dropBegun()
        try nextPiece()
        guard let place = spool.nextWaiting(),
            case .taken(let takenAs) = spool.files[place].place
        else { return }
        if spool.files[place].isLarge {
            if !spool.hasPieces { spool.inHand[place] = .pieces([], isWaiting: false) }
            return
        }
        spool.inHand[place] = .filed
        let row = TakenFile.Row(name: "\(place).json", takenAs: takenAs, bytes: 1, digest: "00")
        try hear(.filed(TakenFile(row: row, jobs: spool.files[place].jobs)))
    }

    /// What was begun and has left `taken` since does not come to its end.
    private mutating func dropBegun() throws(Violation) {
        let begun = spool.begun
        spool.begun = []
        for takenAs in begun where spool.place(of: takenAs) == nil {
            try hear(.pieceDropped(takenAs))
        }
    }

    /// The next piece of the large file that is read, or a line in it that is wrong.
    private mutating func nextPiece() throws(Violation) {
        for (place, stage) in spool.inHand {
            guard case .pieces(let ids, isWaiting: false) = stage,
                case .taken(let takenAs) = spool.files[place].place
            else { continue }
            let file = spool.files[place]
            if weather.faults, Int.random(in: 0..<12, using: &chance) == 0 {
                note("file \(place) has a bad line")
                spool.inHand[place] = .refused
                return try hear(.pieceDropped(takenAs))
            }
            spool.inHand[place] = .pieces(ids, isWaiting: true)
            let row = TakenFile.Row(
                name: "\(place).jsonl",
                takenAs: takenAs,
                bytes: 1,
                digest: "00"
            )
            let piece = FilePiece(
                row: row,
                total: file.jobs.count,
                place: ids.count,
                jobs: [file.jobs[ids.count]]
            )
            return try hear(.filePiece(piece))
        }
    }

    private mutating func hearNotice() throws(Violation) {
        guard !spool.notices.isEmpty else { return }
        switch spool.notices.removeFirst() {
        case .accepted(let takenAs, _, let ids):
            if let place = spool.place(of: takenAs) { spool.inHand[place] = .accepted(ids) }
        case .refused(let takenAs, let refusal):
            guard let place = spool.place(of: takenAs) else { return }
            if refusal.isForNow { spool.passed.insert(place) }
            // If another file has the key, that may come first.
            if case .pieces(let ids, _) = spool.inHand[place], !refusal.isOfKey {
                spool.inHand[place] = refusal.isForNow ? .pieces(ids, isWaiting: false) : .refused
                if !refusal.isForNow { try hear(.pieceDropped(takenAs)) }
            } else {
                spool.inHand[place] = refusal.isForNow ? .waiting : .refused
            }
        case .staged(let takenAs, let ids, let isAll):
            guard let place = spool.place(of: takenAs),
                case .pieces(let before, _) = spool.inHand[place]
            else { return }
            let all = before + ids
            spool.inHand[place] = isAll ? .accepted(all) : .pieces(all, isWaiting: false)
        case .ended(let file): if !spool.ended.contains(file) { spool.ended.append(file) }
        }
    }

    /// Moves a file out of `taken`, with its receipt.
    private mutating func putAway() {
        for (place, stage) in spool.inHand.sorted(by: { $0.key < $1.key }) {
            switch stage {
            case .waiting, .filed, .pieces: continue
            case .accepted(let ids): spool.files[place].place = .done(ids)
            case .refused: spool.files[place].place = .refused
            }
            note("file \(place) is put away")
            spool.inHand[place] = nil
            return
        }
    }

    private mutating func writeResults() throws(Violation) {
        // The store may forget a file only when nobody can take it for new.
        let next = spool.ended.firstIndex { file in
            let takenAs = spool.written.first { $0.value.id == file }?.key
            return takenAs.flatMap(spool.place) == nil
        }
        guard let next else { return }
        let file = spool.ended.remove(at: next)
        note("the results of file row \(file.rawValue) are written")
        spool.results.insert(file)
        try hear(.fileClosed(file))
    }

    // MARK: Promises

    /// The jobs of a file are written, once.
    mutating func filed(
        _ row: TakenFile.Row,
        _ accepted: [Accepted],
        _ file: FileID?
    ) throws(Violation) {
        // One that brought nothing new has no row.
        guard let before = spool.written[row.takenAs], before.id != nil else {
            spool.written[row.takenAs] = StorySpool.Written(id: file, jobs: accepted)
            return
        }
        try check(before.id == file, "a file has one row")
        try check(accepted.allSatisfy { !$0.created }, "file \(row.takenAs) makes its jobs once")
    }

    /// A piece is written; nobody may see its jobs before the last one is.
    mutating func staged(
        _ staging: Staging,
        _ accepted: [Accepted],
        _ file: FileID,
        isAll: Bool
    ) throws(Violation) {
        let piece = staging.piece
        let takenAs = piece.row.takenAs
        highestUsedID = max(highestUsedID, staging.ids.upperBound)
        if piece.place == 0, spool.written[takenAs] == nil { spool.staged[takenAs] = [] }
        for (job, accepted) in zip(piece.jobs, accepted) where accepted.created {
            spool.specs[accepted.id] = job
            try check(
                isAll || details(accepted.id) == nil,
                "job \(accepted.id.rawValue) is not seen before all of its file is written"
            )
        }
        var all = spool.staged[takenAs] ?? []
        all = Array(all.prefix(piece.place)) + accepted
        spool.staged[takenAs] = all
        guard isAll, spool.written[takenAs] == nil else { return }
        var jobs: [Accepted] = []
        for var job in all {
            job.created = spool.specs[job.id] != nil && ledger.specs[job.id] == nil
            jobs.append(job)
            guard job.created, let submission = spool.specs[job.id] else { continue }
            try created(job.id, submission.spec, of: .local)
            guard let key = submission.key else { continue }
            try keyed(job.id, StoryLedger.Key(owner: .local, name: key))
        }
        spool.written[takenAs] = StorySpool.Written(id: file, jobs: jobs)
    }

    mutating func fileEnded(_ file: FileID) throws(Violation) {
        spool.hasEnded.insert(file)
        guard let written = spool.written.values.first(where: { $0.id == file }) else { return }
        for job in written.jobs where job.created && !ledger.deleted.contains(job.id) {
            try check(
                details(job.id)?.job.state.isFinal ?? true,
                "file row \(file.rawValue) ends with its last job"
            )
        }
    }

    mutating func hear(_ notice: FileNotice) throws(Violation) {
        note("the spool hears \(words(notice))")
        spool.notices.append(notice)
        switch notice {
        case .accepted(let takenAs, let file, let ids):
            let written = spool.written[takenAs]
            try check(written?.id == file, "file \(takenAs) is accepted when it is written")
            try check(written?.jobs.count == ids.count, "each job of a file has its id")
            // The key of a job that was deleted may stand for another meanwhile.
            for (job, id) in zip(written?.jobs ?? [], ids)
            where job.created && !ledger.deleted.contains(job.id) {
                try check(job.id == id, "the ids of file \(takenAs) are those of its jobs")
                ledger.acknowledged.insert(id)
            }
        case .refused(let takenAs, let refusal):
            let isWritten = spool.written[takenAs] != nil
            try check(!isWritten || refusal.isForNow, "file \(takenAs) is written and not refused")
        case .staged(let takenAs, let ids, let isAll):
            let written = spool.written[takenAs]
            try check(
                !isAll || written != nil,
                "file \(takenAs) is accepted when its last piece is written"
            )
            guard isAll else { return }
            ledger.acknowledged.formUnion(
                ids.filter { id in
                    written?.jobs.contains { $0.id == id && $0.created } ?? false
                        && !ledger.deleted.contains(id)
                }
            )
        case .ended(let file):
            try check(spool.hasEnded.contains(file), "the end of a file is told when it is written")
        }
    }

    /// Each file that was dropped has its jobs, and their results lie beside it; or it was refused.
    func checkFiles() throws(Violation) {
        for (place, file) in spool.files.enumerated() {
            switch file.place {
            case .done(let ids):
                try check(ids.count == file.jobs.count, "file \(place) has all of its jobs")
            case .refused: break
            case .dropped, .taken: try check(false, "file \(place) is put away")
            }
        }
        for (takenAs, written) in spool.written {
            guard let id = written.id else { continue }
            try check(spool.results.contains(id), "the results of file \(takenAs) are written")
        }
        try check(store.endedFiles.isEmpty, "every file is closed")
        try check(store.begunFiles.isEmpty, "nothing stays of a file that is not whole")
        try check(store.stagesLeft == Recovery.Stages(), "all jobs of large files are ready")
    }
}
