/// A piece of a file of the spool that holds more jobs than one submission may.
///
/// Such a file is staged: written piece by piece, in the order of the file, and nobody sees one of
/// its jobs before the last piece is written.
public struct FilePiece: Equatable, Sendable {
    /// Jobs in one piece, at most: a commit shall take no longer than 20 ms.
    public static let jobsMax = 1_000
    /// Text of one piece, in bytes, at most, unless a single job is longer.
    public static let bytesMax = 1 << 20

    public var row: TakenFile.Row
    /// Jobs in the whole file.
    public var total: Int
    /// How many of the file's jobs come before these.
    public var place: Int
    public var jobs: [Submission]

    public init(row: TakenFile.Row, total: Int, place: Int, jobs: [Submission]) {
        self.row = row
        self.total = total
        self.place = place
        self.jobs = jobs
    }

    /// Jobs that one step of a release or removal passes, in a file of so many bytes: as many as
    /// have 4 MiB by the average, and no more than a piece.
    public static func stepJobs(of total: Int64, bytes: Int64) -> Int64 {
        let each = max(bytes / max(total, 1), 1)
        return min(max((4 << 20) / each, 1), Int64(jobsMax))
    }

    /// Jobs of the file up to the last of these.
    public var end: Int { place + jobs.count }
    public var isLast: Bool { end == total }
}

/// The staging of one piece.
public struct Staging: Equatable, Sendable {
    public var piece: FilePiece
    /// For all jobs of the file. A file of which something is staged already keeps those that it
    /// has.
    public var ids: ClosedRange<Int64>
    public var ticket: Ticket

    public init(piece: FilePiece, ids: ClosedRange<Int64>, ticket: Ticket) {
        precondition(ids.count == piece.total, "each job of the file has an id")
        self.piece = piece
        self.ids = ids
        self.ticket = ticket
    }

    /// The job of the file, counted from 0, when the first has this id.
    public static func id(of place: Int, from first: Int64) -> JobID {
        JobID(rawValue: first + Int64(place))
    }
}

/// How far the staging of a file is.
public struct FileProgress: Equatable, Sendable {
    /// As it was dropped.
    public var name: String
    /// Jobs that are written.
    public var staged: Int
    /// Jobs in the file.
    public var total: Int

    public init(name: String, staged: Int, total: Int) {
        self.name = name
        self.staged = staged
        self.total = total
    }
}
