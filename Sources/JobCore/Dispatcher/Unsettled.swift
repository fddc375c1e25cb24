/// What workers have reported and the store has not dealt with: it is held in memory until then.
struct Unsettled {
    /// In the order in which the reports were handed over, which is that of their facts.
    private var weights: [Int] = []
    /// All of it, in bytes, roughly.
    private(set) var bytes = 0

    var isEmpty: Bool { weights.isEmpty }

    mutating func append(_ report: Report) {
        weights.append(report.weight)
        bytes += report.weight
    }

    mutating func removeFirst(_ count: Int) {
        bytes -= weights.prefix(count).reduce(0, +)
        weights.removeFirst(min(count, weights.count))
    }
}

extension Report {
    /// What it takes in memory, in bytes, roughly.
    fileprivate var weight: Int {
        switch ending {
        case .succeeded(let outcome): 500 + outcome.bytes.count
        case .split(let parts): parts.reduce(500) { $0 + $1.ownBytes + 100 }
        case .failed, .brokenOff, .putBack: 500
        }
    }
}
