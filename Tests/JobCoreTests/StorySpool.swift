import JobTesting

@testable import JobCore

/// The jobs directory of a story, and the thread that moves its files on.
///
/// Where the files lie outlives a crash; what is in hand does not.
struct StorySpool {
    enum Place: Equatable { case dropped, taken(as: String), done([JobID]), refused }

    enum Stage { case waiting, filed, accepted([JobID]), refused }

    struct File {
        let jobs: [Submission]
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
    // What an observer knows:
    var written: [String: Written] = [:]
    var hasEnded: Set<FileID> = []

    struct Written {
        let id: FileID?
        let jobs: [Accepted]
    }

    var isBusy: Bool {
        !notices.isEmpty || !ended.isEmpty || !inHand.isEmpty
            || files.contains { $0.place == .dropped }
    }

    mutating func restart(_ endedFiles: [FileID]) {
        inHand = [:]
        notices = []
        ended = endedFiles
        for (place, file) in files.enumerated() {
            if case .taken = file.place { inHand[place] = .waiting }
        }
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
        case 3: hearNotice()
        case 4: putAway()
        default: try writeResults()
        }
        guard !weather.faults else { return }
        claim()
        try file()
        hearNotice()
        putAway()
        try writeResults()
    }

    private mutating func drop() {
        let jobs = jobs(Int.random(in: 1...3, using: &chance))
        note("file \(spool.files.count) is dropped")
        spool.files.append(StorySpool.File(jobs: jobs))
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
        let waiting = spool.inHand.filter { if case .waiting = $0.value { true } else { false } }
        guard let place = waiting.keys.min(), case .taken(let takenAs) = spool.files[place].place
        else { return }
        spool.inHand[place] = .filed
        let row = TakenFile.Row(name: "\(place).json", takenAs: takenAs, bytes: 1, digest: "00")
        try hear(.filed(TakenFile(row: row, jobs: spool.files[place].jobs)))
    }

    private mutating func hearNotice() {
        guard !spool.notices.isEmpty else { return }
        switch spool.notices.removeFirst() {
        case .accepted(let takenAs, _, let ids):
            if let place = spool.place(of: takenAs) { spool.inHand[place] = .accepted(ids) }
        case .refused(let takenAs, let refusal):
            guard let place = spool.place(of: takenAs) else { return }
            let isForNow = refusal.status == 429 || refusal.status == 503
            spool.inHand[place] = isForNow ? .waiting : .refused
        case .ended(let file): if !spool.ended.contains(file) { spool.ended.append(file) }
        }
    }

    /// Moves a file out of `taken`, with its receipt.
    private mutating func putAway() {
        for (place, stage) in spool.inHand.sorted(by: { $0.key < $1.key }) {
            switch stage {
            case .waiting, .filed: continue
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
            let isForNow = refusal.status == 429 || refusal.status == 503
            try check(!isWritten || isForNow, "file \(takenAs) is written and not refused")
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
    }
}
