internal import JobCore
internal import JobWire

/// The jobs that one job comes after, and what those come after in turn, as a tree.
///
/// ```
///   after      ├─ 2 clean  running
///              │  └─ 1 load  succeeded
///              └─ 3 rates  queued
/// ```
/// A job that stands above already is not drawn out again.
struct JobTree {
    /// Jobs that are asked for, and lines that are drawn, at most.
    static let mostJobs = 200

    private let root: JSON
    private let jobs: [Int64: JSON]

    init(of root: JSON, among jobs: [Int64: JSON]) {
        self.root = root
        self.jobs = jobs
    }

    /// The jobs that these come after, near and far, by their ids. `show` may leave out what is no
    /// longer kept.
    static func predecessors(
        of jobs: [JSON],
        show: ([JobID]) throws -> [JSON]
    ) throws -> [Int64: JSON] {
        var found: [Int64: JSON] = [:]
        var asked: Set<Int64> = []
        var last = jobs
        while !last.isEmpty, asked.count < mostJobs {
            var next: [Int64] = []
            for id in last.flatMap(ids) where asked.count < mostJobs {
                if asked.insert(id).inserted { next.append(id) }
            }
            guard !next.isEmpty else { break }
            last = try show(next.map(JobID.init(rawValue:)))
            for job in last {
                if let id = job["id"]?.integerValue { found[id] = job }
            }
        }
        return found
    }

    private static func ids(of job: JSON) -> [Int64] {
        (job["after"]?.arrayValue ?? []).compactMap { $0["id"]?.integerValue }
    }

    /// None for a job that comes after no other.
    func lines(color: Bool) -> [String] {
        var drawing = Drawing(color: color)
        draw(root, behind: "", into: &drawing)
        return drawing.lines.enumerated().map { place, line in
            (place == 0 ? "  after      " : "             ") + line
        }
    }

    private struct Drawing {
        let color: Bool
        var lines: [String] = []
        var drawn: Set<Int64> = []
    }

    /// Not deeper than there are lines.
    private func draw(_ job: JSON, behind margin: String, into drawing: inout Drawing) {
        let others = job["after"]?.arrayValue ?? []
        for (place, other) in others.enumerated() {
            guard drawing.lines.count < Self.mostJobs else {
                if drawing.lines.count == Self.mostJobs { drawing.lines.append(margin + "…") }
                return
            }
            let isLast = place == others.count - 1
            let id = other["id"]?.integerValue ?? 0
            let isNew = drawing.drawn.insert(id).inserted
            let known = jobs[id]
            let isAbove = !isNew && known.map { !Self.ids(of: $0).isEmpty } ?? false
            drawing.lines.append(
                margin + (isLast ? "└─ " : "├─ ") + words(for: other, drawing.color)
                    + (isAbove ? ", as above" : "")
            )
            guard isNew, let known else { continue }
            draw(known, behind: margin + (isLast ? "   " : "│  "), into: &drawing)
        }
    }

    /// `2 clean  running`
    private func words(for other: JSON, _ color: Bool) -> String {
        let id = other["id"]?.integerValue.map(String.init) ?? ""
        let name = other.text("name")
        let known = other["id"]?.integerValue.flatMap { jobs[$0] } ?? other
        let state: Table.Cell =
            known["state"] == nil ? .init("no longer kept", .dim) : JobTables.state(of: known)
        let shown = color ? state.style.paint(state.text) : state.text
        return printable(name.isEmpty ? id : "\(id) \(name)") + "  " + shown
    }
}
