/// How much is measured.
struct BenchPlan: Equatable {
    /// Of everything, between 0 and 1 for a shorter bench.
    var scale = 1.0
    /// Of each row that counts jobs, instead of its own number.
    var jobs: Int?
    /// Jobs that wait in rows J, K and L, instead of the rows' own numbers.
    var waiting: Int?
    /// Jobs in one submission.
    var batch = 256
    /// Connections that submit side by side.
    var clients = 1
    /// How often each row is measured.
    var repeats = 5

    /// A batch as one line of text is a message; the runner takes this many jobs in one.
    static let batches = 1...10_000
    static let clientCounts = 1...64

    /// Jobs, pings or puzzles that one repeat of a row measures.
    func count(_ row: BenchRow) -> Int {
        let whole =
            switch row {
            case .endToEnd, .besideWaiting: 300_000
            case .singly, .lookups: 200_000
            case .submission: 500_000
            case .oneAtATime, .pings: 5_000
            case .ranges: 5_000
            case .lookupBehindScans: 20
            case .writes: 50_000
            case .sudoku: 50_000
            case .fanOut: 10_000
            case .idle, .start: 1
            }
        return max(jobs ?? scaled(whole), 1)
    }

    /// Jobs that wait while a row is measured.
    func waitingCount(_ row: BenchRow) -> Int {
        max(waiting ?? scaled(row == .besideWaiting ? 10_000_000 : 1_000_000), 1)
    }

    /// Rows of the table that lookups and scans read.
    var tableRows: Int { max(scaled(1_000_000), 2_000) }
    /// How long a runner at rest is watched, in ms.
    var restMs: Int { max(scaled(10_000), 500) }

    private func scaled(_ whole: Int) -> Int { max(Int(Double(whole) * scale), 1) }
}
