internal import Crypto
internal import JobCore

/// A file in `taken/` that holds more jobs than one submission, on its way into the store. Only a
/// piece of it is in memory.
///
/// It is read twice: first its jobs are counted and its bytes summed up, then they are read and
/// submitted piece by piece, each when the one before is stored, and the last only when all bytes
/// were the same as before: up to then nobody sees a job of it. After a crash all of that happens
/// again, and the store knows which pieces it has.
final class StagedFile {
    enum Step {
        /// There is more to do at once.
        case again
        case submit(FilePiece)
        case refuse(JobFileProblem)
        /// All pieces are stored. The first job has this id.
        case end(first: JobID)
    }

    let file: SpoolDirectory.Taken
    private let directory: SpoolDirectory
    private let limits: Limits
    private let source: Folder.Source
    private let shelf: RowsShelf
    private var hash: SHA256? = SHA256()
    private var bytes: Int64 = 0
    private var count = LineCount()
    private var row: TakenFile.Row?
    private var stream: LineStream
    /// Of what the second reading has read.
    private var hashAgain = SHA256()
    /// The last piece, until the file is read to its end.
    private var lastPiece: FilePiece?
    /// Jobs in the pieces that are stored.
    private var place = 0
    private var first: JobID?
    /// Submitted and not stored.
    private var waitsFor: FilePiece?
    /// It was turned away for now, and is submitted again.
    private var isTurnedAway = false
    /// The store has all pieces.
    private var isAll = false
    /// Ids that the receipt does not have yet.
    private var ids: [JobID] = []

    /// Bytes that one step of the count reads.
    private static let sliceBytes = 4 << 20

    /// Nil when somebody has removed the file.
    init?(
        _ file: SpoolDirectory.Taken,
        in directory: SpoolDirectory,
        limits: Limits,
        parse: @escaping JobFile.JobParser
    ) throws(SpoolError) {
        guard let source = try directory.taken.source(file.takenAs) else { return nil }
        self.file = file
        self.directory = directory
        self.limits = limits
        self.source = source
        let shelf = RowsShelf { name throws(SpoolError) in
            try directory.rows(name, of: file, atMost: limits.eachBytes)
        }
        self.shelf = shelf
        stream = LineStream(
            limits: limits,
            rows: { name throws(RowsProblem) in try shelf.rows(name, atMost: limits.eachBytes) },
            parse: parse
        )
        try directory.beginReceipt(of: file)
    }

    /// True while the store owes an answer.
    var isWaiting: Bool { waitsFor != nil && !isTurnedAway }

    /// There was no room for the piece.
    func turnedAway() { isTurnedAway = waitsFor != nil }

    /// The piece that waits is stored, under these ids.
    func stored(_ ids: [JobID], isAll: Bool) {
        guard let piece = waitsFor else { return }
        if piece.place == 0 { first = ids.first }
        self.ids = ids
        self.isAll = isAll
        place = piece.end
        waitsFor = nil
    }

    /// The line of a job of the piece that waits; nil when there is none.
    func line(ofJob place: Int) -> Int? {
        stream.lines.indices.contains(place) ? stream.lines[place] : nil
    }

    func step() throws(SpoolError) -> Step {
        if !ids.isEmpty {
            try directory.add(ids, toReceiptOf: file)
            ids = []
        }
        if let piece = waitsFor {
            isTurnedAway = false
            return .submit(piece)
        }
        if isAll, let first { return .end(first: first) }
        guard hash == nil else { return try countOn() }
        guard let lastPiece else { return try nextPiece() }
        return try readRest(before: lastPiece)
    }

    private func countOn() throws(SpoolError) -> Step {
        guard source.size <= JobFile.linesBytesMax else {
            return .refuse(.tooLarge(source.size, most: JobFile.linesBytesMax))
        }
        let slice = try source.read(atMost: Self.sliceBytes)
        guard slice.isEmpty else {
            bytes += Int64(slice.count)
            slice.withUnsafeBytes { hash?.update(bufferPointer: $0) }
            count.add(slice)
            return .again
        }
        guard count.jobs > 0 else { return .refuse(.noJobs) }
        guard count.jobs <= limits.waitingJobs else {
            return .refuse(.tooManyJobs(count.jobs, limits))
        }
        row = TakenFile.Row(
            name: file.name,
            takenAs: file.takenAs,
            bytes: bytes,
            digest: hash?.finalize().hexadecimal ?? ""
        )
        hash = nil
        try source.rewind()
        return .again
    }

    private func nextPiece() throws(SpoolError) -> Step {
        let next: [Submission]?
        do throws(JobFileProblem) {
            next = try stream.next()
        } catch {
            if let failure = shelf.failure { throw failure }
            return .refuse(error)
        }
        if stream.isDone, next?.isEmpty ?? true { return .refuse(.changed) }
        guard let jobs = next else {
            stream.add(try readAgain(atMost: LineStream.sliceBytes))
            return .again
        }
        guard let row, !jobs.isEmpty else { return .again }
        guard place + jobs.count <= count.jobs else { return .refuse(.changed) }
        let piece = FilePiece(row: row, total: count.jobs, place: place, jobs: jobs)
        if piece.isLast {
            lastPiece = piece
            return .again
        }
        waitsFor = piece
        return .submit(piece)
    }

    /// The last piece makes all jobs seen: not before it is sure that they are those that were
    /// counted.
    private func readRest(before piece: FilePiece) throws(SpoolError) -> Step {
        guard try readAgain(atMost: Self.sliceBytes).isEmpty else { return .again }
        guard hashAgain.finalize().hexadecimal == piece.row.digest else {
            return .refuse(.changed)
        }
        lastPiece = nil
        waitsFor = piece
        return .submit(piece)
    }

    private func readAgain(atMost most: Int) throws(SpoolError) -> [UInt8] {
        let slice = try source.read(atMost: most)
        slice.withUnsafeBytes { hashAgain.update(bufferPointer: $0) }
        return slice
    }
}

extension JobFileProblem {
    static let noJobs = JobFileProblem(
        "The file holds no job.",
        at: .start,
        hint: "Write at least one job into it."
    )

    fileprivate static let changed = JobFileProblem(
        "The file was changed while it was being read.",
        at: .start,
        hint: "Drop it again, and leave alone what lies in taken/."
    )

    static func tooManyJobs(_ count: Int, _ limits: Limits) -> JobFileProblem {
        JobFileProblem(
            "The file holds \(count) jobs; at most \(limits.waitingJobs) may wait.",
            at: .start,
            hint: "Split it into several files, or raise waiting_jobs in the settings."
        )
    }
}

extension SHA256Digest {
    var hexadecimal: String {
        map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
