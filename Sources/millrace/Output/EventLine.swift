internal import JobClient
internal import JobCore
internal import JobWire

/// One event, for people: when, what it is about, what has come of it, and what else is known.
struct EventLine {
    let cells: [Table.Cell]

    /// Columns of all cells but the last, so that lines stand under each other.
    private static let widths = [19, 12, 9]

    init(_ event: EventStream.Event) {
        let body = event.body
        let words = event.topic.split(separator: ".")
        let word = words.last.map(String.init) ?? ""
        let subject =
            body["id"]?.integerValue.map { "job \($0)" } ?? "queue \(body.text("queue"))"
        cells = [
            .init(body.moment("at").map(Words.localTime) ?? ""), .init(subject),
            .init(word, Self.style(of: word)), .init(Self.details(of: body, word)),
        ]
    }

    private static func style(of word: String) -> Style {
        switch word {
        case JobState.succeeded.rawValue: .good
        case JobState.failed.rawValue: .bad
        case JobState.running.rawValue, "progress": .busy
        default: .plain
        }
    }

    private static func details(of body: JSON, _ word: String) -> String {
        let attempt = body["attempt"]?.integerValue ?? 0
        switch word {
        case "queued":
            let again = attempt > 0 ? " after attempt \(attempt)" : ""
            return "in \(body.text("queue"))\(again)" + (body["ready_at"] == nil ? ", divided" : "")
        case "progress":
            return ProgressBar.words(body["progress"]) ?? ""
        case "running":
            let worker = body["worker"]?.integerValue.map { " on worker \($0)" } ?? ""
            return "attempt \(attempt)\(worker)"
        case _ where body["id"] != nil:
            let code = body["error"].map { ": \($0.text("code"))" } ?? ""
            return "attempt \(attempt)\(code)"
        default: return ""
        }
    }

    /// For a terminal.
    func line(color: Bool) -> String {
        var line = ""
        var gap = ""
        for (place, cell) in cells.enumerated() where !cell.text.isEmpty {
            line += gap + (color ? cell.style.paint(cell.text) : cell.text)
            let width = place < Self.widths.count ? Self.widths[place] : 0
            gap = String(repeating: " ", count: max(width - cell.text.count, 0) + 2)
        }
        return line
    }

    /// For a pipe.
    var tabbed: String { cells.map(\.text).joined(separator: "\t") }
}
