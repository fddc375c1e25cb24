internal import ArgumentParser

/// A row of the table in the article Performance: one thing that is measured.
enum BenchRow: String, CaseIterable {
    case endToEnd = "A"
    case singly = "A1"
    case submission = "B"
    case oneAtATime = "C"
    case lookups = "D"
    case ranges = "E"
    case pings = "F"
    case lookupBehindScans = "G"
    case writes = "H"
    case sudoku = "I"
    case idle = "J"
    case besideWaiting = "K"
    case start = "L"
    case fanOut = "M"

    var title: String {
        switch self {
        case .endToEnd: "no-op jobs, in batches, until all have succeeded"
        case .singly: "no-op jobs, one a message, pipelined"
        case .submission: "submission alone, in batches"
        case .oneAtATime: "one job at a time, submit and wait"
        case .lookups: "point lookups by primary key"
        case .ranges: "ranges of 1 000 rows, 6 columns, as JSON"
        case .pings: "pings beside full scans and batches"
        case .lookupBehindScans: "a point lookup behind full scans"
        case .writes: "single-row writes, exactly once"
        case .sudoku: "sudoku of 17 clues, in jobs of 100"
        case .idle: "at rest"
        case .besideWaiting: "row A beside waiting jobs of another queue"
        case .start: "start with waiting jobs, until the first is running"
        case .fanOut: "a job in two parts, how much sooner it ends"
        }
    }

    /// Whether a runner that others use, with its own settings, can be measured so.
    var fitsAnyRunner: Bool {
        switch self {
        case .endToEnd, .singly, .oneAtATime, .sudoku, .fanOut: true
        default: false
        }
    }

    /// Whether it needs the databases that the bench makes.
    var readsTables: Bool {
        switch self {
        case .lookups, .ranges, .pings, .lookupBehindScans, .writes: true
        default: false
        }
    }
}

extension BenchRow: ExpressibleByArgument {
    init?(argument: String) { self.init(rawValue: argument.uppercased()) }
}
