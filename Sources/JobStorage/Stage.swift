internal import JobCore
internal import SQLite

/// A file of the ledger, and how far its jobs are.
struct Stage: Equatable {
    enum Phase: String {
        /// Not all pieces are written.
        case loading
        /// All are written and seen, and not all are ready.
        case opening
        /// It will not be written to its end.
        case removing
        case loaded
    }

    var file: FileID
    /// The id of its first job.
    var first: Int64
    /// Jobs in the file.
    var total: Int64
    var digest: String
    var phase = Phase.loading
    /// Its first jobs are written, so many.
    var staged: Int64 = 0
    /// Its first jobs are ready, so many.
    var released: Int64 = 0
    /// Jobs that were made for it and have not ended.
    var open: Int64 = 0
    /// Of the file.
    var bytes: Int64 = 0
    /// Its row says what cannot be: nothing is done about it, and its jobs that are not ready stay
    /// so. All others go on.
    var isDamaged = false

    init(file: FileID, first: Int64, total: Int64, digest: String) {
        self.file = file
        self.first = first
        self.total = total
        self.digest = digest
    }

    /// `Columns.stage`.
    init(_ statement: Statement) {
        var row = Row(of: statement)
        let file = FileID(rawValue: row.integer())
        self.init(file: file, first: row.integer(), total: row.integer(), digest: row.text())
        let word = Phase(rawValue: row.text())
        // One in no phase is seen, for nobody knows whether it was.
        phase = word ?? .opening
        staged = row.integer()
        released = row.integer()
        open = row.integer()
        bytes = row.integer()
        isDamaged = word == nil || !row.isSound || !isPossible
    }

    private var isPossible: Bool {
        guard Marks.possible.contains(first), Marks.possible.contains(total) else { return false }
        return switch phase {
        case .loaded: true
        case .loading, .removing:
            first > 0 && (0..<max(total, 1)).contains(staged) && released == 0
        case .opening: first > 0 && staged == total && (0..<max(total, 1)).contains(released)
        }
    }

    /// The same, when that is the highest id of a job there ever was.
    func checked(upTo highest: Int64) -> Stage {
        guard phase != .loaded else { return self }
        var stage = self
        let hasIDs = first > 0 && total > 0 && total <= highest && first <= highest - total + 1
        stage.isDamaged = isDamaged || !hasIDs
        if stage.isDamaged { stage.open = 0 }
        // Other jobs would be hidden with its own.
        if !hasIDs { (stage.first, stage.total) = (0, 0) }
        return stage
    }

    /// The room that it has among the jobs that may wait.
    var reserved: Int64 { open + (phase == .loading && !isDamaged ? total - staged : 0) }

    /// Jobs that one step of its release or removal passes.
    var stepJobs: Int64 { FilePiece.stepJobs(of: total, bytes: bytes) }

    /// Nobody sees its jobs.
    var isUnseen: Bool { phase == .loading || phase == .removing }

    func contains(_ id: JobID) -> Bool { id.rawValue >= first && id.rawValue - first < total }

    /// Jobs of the piece that were written before.
    func stored(of piece: FilePiece) -> Int {
        guard phase == .loading else { return piece.jobs.count }
        return min(max(Int(clamping: staged) - piece.place, 0), piece.jobs.count)
    }

    /// Why the piece cannot be written; nil when it can, or is.
    func refusal(of piece: FilePiece) -> Refusal? {
        if isDamaged { return .fileDamaged }
        if phase == .removing { return .fileBeingRemoved }
        if digest != piece.row.digest || total != Int64(piece.total) { return .fileChanged }
        return phase != .loading || piece.place <= staged ? nil : .pieceOutOfStep
    }
}
