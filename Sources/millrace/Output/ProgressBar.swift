/// How far a wait is, as one line on a terminal.
struct ProgressBar {
    var total: Int
    private let width = 30

    init(total: Int) { self.total = total }

    /// `[############..................]  12 of 30 jobs have ended`
    func line(done: Int) -> String {
        let filled = total > 0 ? width * min(max(done, 0), total) / total : width
        let bar =
            String(repeating: "#", count: filled)
            + String(repeating: ".", count: width - filled)
        return "[\(bar)]  \(done) of \(Words.count(Int64(total), "job")) ended"
    }
}
