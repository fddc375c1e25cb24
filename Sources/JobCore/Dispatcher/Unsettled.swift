/// What workers have reported and the store has not written: it is held in memory until then.
struct Unsettled {
    private var weights: [JobID: Int] = [:]
    /// All of it, in bytes, roughly.
    private(set) var bytes = 0

    var isEmpty: Bool { weights.isEmpty }

    mutating func add(_ report: Report) {
        remove(report.job)
        weights[report.job] = report.weight
        bytes += report.weight
    }

    /// A fact tells what has come of the job.
    mutating func remove(_ job: JobID) { bytes -= weights.removeValue(forKey: job) ?? 0 }
}

extension Report {
    /// What it takes in memory, in bytes, roughly.
    fileprivate var weight: Int {
        switch ending {
        case .succeeded(let outcome): 500 + outcome.bytes.count
        case .split(let parts): parts.reduce(500) { $0 + $1.weight }
        case .failed, .brokenOff, .putBack: 500
        }
    }
}

extension Part {
    fileprivate var weight: Int { frames.reduce(body.count + 100) { $0 + $1.bytes.count } }
}
