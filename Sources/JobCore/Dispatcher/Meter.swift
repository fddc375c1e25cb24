/// What the runner did lately: rates of the last minute, waiting and running times of the last
/// runs.
struct Meter {
    /// Runs whose times are remembered.
    static let samples = 1_024

    private var ended: [Int64] = Array(repeating: 0, count: 60)
    private var second: Int64 = 0
    private var waitingMs: [Double] = []
    private var runningMs: [Double] = []
    private var next = 0

    mutating func count(_ report: Report, readyAt: Timestamp, at now: Timestamp) {
        advance(to: now)
        ended[Int(second % 60)] += 1
        let waiting = Double(max(0, report.startedAt.ms(since: readyAt)))
        let running = Double(report.durationMicros) / 1_000
        if waitingMs.count < Self.samples {
            waitingMs.append(waiting)
            runningMs.append(running)
        } else {
            waitingMs[next] = waiting
            runningMs[next] = running
            next = (next + 1) % Self.samples
        }
    }

    /// Jobs ended in the last minute, a second.
    mutating func perSecond(at now: Timestamp) -> Double {
        advance(to: now)
        return Double(ended.reduce(0, +)) / 60
    }

    var waiting: Percentiles { percentiles(of: waitingMs) }
    var running: Percentiles { percentiles(of: runningMs) }

    private mutating func advance(to now: Timestamp) {
        let current = max(0, now.rawValue / 1_000)
        guard current > second else { return }
        for passed in max(second + 1, current - 59)...current { ended[Int(passed % 60)] = 0 }
        second = current
    }

    private func percentiles(of samples: [Double]) -> Percentiles {
        guard !samples.isEmpty else { return Percentiles() }
        let sorted = samples.sorted()
        return Percentiles(
            p50: sorted[(sorted.count - 1) / 2],
            p99: sorted[(sorted.count - 1) * 99 / 100]
        )
    }
}
