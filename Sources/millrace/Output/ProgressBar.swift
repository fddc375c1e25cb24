internal import JobCore
internal import JobWire

/// How far a wait is, as one line on a terminal.
struct ProgressBar {
    var total: Int
    private static let width = 30

    init(total: Int) { self.total = total }

    /// `[############..................]  12 of 30 jobs have ended`
    func line(done: Int) -> String {
        let bar = Self.bar(Int64(done), of: Int64(total))
        return "\(bar)  \(done) of \(Words.count(Int64(total), "job")) ended"
    }

    /// How far one job is, as `job.show` tells it: `[####......]  4 of 10 (40 %) of job 42`, or why
    /// it has no progress to show.
    static func line(of job: JSON) -> String {
        let name = "job \(job["id"]?.integerValue ?? 0)"
        if let progress = job["progress"], let words = words(progress) {
            let done = progress["done"]?.integerValue ?? 0
            let total = progress["total"]?.integerValue ?? 0
            return "\(bar(done, of: total))  \(words) of \(name)"
        }
        return "\(name): \(printable(job.text("why")))"
    }

    /// `3 of 10 (30 %)`
    static func words(_ progress: JSON?) -> String? {
        guard let done = progress?["done"]?.integerValue,
            let total = progress?["total"]?.integerValue
        else { return nil }
        return "\(done) of \(total) (\(share(done, of: total, times: 100)) %)"
    }

    private static func bar(_ done: Int64, of total: Int64) -> String {
        let filled = share(done, of: total, times: width)
        return "[" + String(repeating: "#", count: filled)
            + String(repeating: ".", count: width - filled) + "]"
    }

    /// `times` when it is all, rounded down; of nothing it is all. Numbers of kernels may be any.
    private static func share(_ done: Int64, of total: Int64, times: Int) -> Int {
        guard total > 0 else { return times }
        let part = Double(min(max(done, 0), total)) / Double(total)
        return Int(part * Double(times))
    }
}
