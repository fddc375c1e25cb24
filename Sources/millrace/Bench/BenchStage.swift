internal import ZeroMQ

/// The bench itself: runners to measure, tables to read, and the book of what was found.
final class BenchStage {
    let plan: BenchPlan
    let stop: StopSignals
    var book = BenchBook()
    /// The endpoint of a runner of somebody else's.
    private let connected: String?
    private let context: Context
    let directory: BenchDirectory
    /// Made when the first row needs them.
    private(set) var tables: BenchTables?
    private var states = 0

    init(_ plan: BenchPlan, connected: String?, directory: String, stop: StopSignals) throws {
        self.plan = plan
        self.connected = connected
        self.stop = stop
        context = try Context()
        self.directory = try BenchDirectory(in: directory)
    }

    func measure(_ row: BenchRow) throws {
        if row.readsTables, tables == nil {
            Console.draw("making tables of \(plan.tableRows) rows")
            tables = try BenchTables(in: directory.path, rows: plan.tableRows)
        }
        switch row {
        case .idle: try repeated(row) { try measureRest($0) }
        case .besideWaiting: try measureBesideWaiting()
        case .start: try measureStart()
        default: try repeated(row) { try measure(row, $0) }
        }
    }

    /// The rows that need a new runner for each repeat and nothing more.
    private func measure(_ row: BenchRow, _ target: BenchTarget) throws {
        let load = BenchLoad(target: target, plan: plan)
        switch row {
        case .endToEnd: try measureEndToEnd(load)
        case .singly: try measureSingly(load)
        case .submission: try measureSubmission(load)
        case .oneAtATime: try measureOneAtATime(load)
        case .lookups: try measureLookups(load)
        case .ranges: try measureRanges(load)
        case .pings: try measurePings(load)
        case .lookupBehindScans: try measureLookupBehindScans(load)
        case .writes: try measureWrites(load)
        case .sudoku: try measureSudoku(load)
        case .fanOut: try measureFanOut(load)
        case .idle, .besideWaiting, .start: break
        }
    }

    /// Measures on a runner with an empty store, as often as the plan says.
    func repeated(_ row: BenchRow, _ body: (BenchTarget) throws -> Void) throws {
        for turn in 0..<plan.repeats {
            try stop.check()
            Console.draw("row \(row.rawValue), \(turn + 1) of \(plan.repeats)")
            if let connected {
                try body(BenchTarget(connecting: connected, context, stop))
            } else {
                try withRunner { try body($0) }
            }
        }
        Console.draw("")
    }

    /// Starts a runner on a new store, or on that of an earlier one, and ends it.
    func withRunner(state: String? = nil, _ body: (BenchTarget) throws -> Void) throws {
        let place = state ?? newState()
        let process = try BenchProcess(
            state: place,
            databases: tables?.databases ?? [],
            stop: stop
        )
        defer {
            process.end()
            if state == nil { BenchDirectory.remove(place) }
        }
        try body(BenchTarget(process, context, stop))
    }

    /// A name for a state directory.
    func newState() -> String {
        states += 1
        return "\(directory.path)/\(states)"
    }
}
