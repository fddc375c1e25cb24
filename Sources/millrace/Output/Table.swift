/// Rows of cells for people, in aligned columns.
struct Table: Equatable {
    struct Cell: Equatable, ExpressibleByStringLiteral {
        var text: String
        var style: Style

        init(_ text: String, _ style: Style = .plain) {
            self.text = printable(text)
            self.style = style
        }

        init(stringLiteral text: String) { self.init(text) }

        /// Numbers are easier to compare when their ends meet.
        static func number(_ value: Int64?) -> Cell { Cell(value.map(String.init) ?? "") }
    }

    struct Column: Equatable, ExpressibleByStringLiteral {
        var title: String
        var alignsRight: Bool

        init(_ title: String, alignsRight: Bool = false) {
            self.title = printable(title)
            self.alignsRight = alignsRight
        }

        init(stringLiteral title: String) { self.init(title) }
    }

    var columns: [Column]
    /// As many cells each as there are columns.
    private(set) var rows: [[Cell]] = []

    init(_ columns: [Column]) { self.columns = columns }

    /// Cells that are missing stay empty; superfluous ones are left out.
    mutating func add(_ cells: [Cell]) {
        let padding = repeatElement(Cell(""), count: max(columns.count - cells.count, 0))
        rows.append(Array(cells.prefix(columns.count)) + padding)
    }

    /// A head and the rows, two spaces between columns, nothing behind the last.
    func lines(color: Bool) -> [String] {
        let widths = columns.indices.map { place in
            rows.reduce(columns[place].title.count) { max($0, $1[place].text.count) }
        }
        let head = columns.map { Cell($0.title, .dim) }
        return ([head] + rows).map { cells in
            var line = ""
            var gap = ""
            for (place, cell) in cells.enumerated() {
                let padding = String(repeating: " ", count: widths[place] - cell.text.count)
                let text = color ? cell.style.paint(cell.text) : cell.text
                if columns[place].alignsRight {
                    line += gap + padding + text
                    gap = "  "
                } else if !cell.text.isEmpty {
                    line += gap + text
                    gap = padding + "  "
                } else {
                    gap += padding + "  "
                }
            }
            return line
        }
    }

    /// A line for each row, tabs between the cells, no head.
    var tabbed: [String] { rows.map { $0.map(\.text).joined(separator: "\t") } }
}

/// How a text stands out on a terminal.
enum Style: String {
    case plain = ""
    case good = "32"
    case bad = "31"
    case busy = "33"
    case dim = "2"
    /// In the colours of its background, and the other way round.
    case chosen = "7"

    func paint(_ text: String) -> String {
        self == .plain || text.isEmpty ? text : "\u{1B}[\(rawValue)m\(text)\u{1B}[0m"
    }
}
