internal import Glibc
internal import JobCore
internal import JobWire

/// Standard output for data, standard error for words; what a terminal gets and a pipe does not.
enum Console {
    static let outIsTerminal = isatty(STDOUT_FILENO) == 1
    static let errorIsTerminal = isatty(STDERR_FILENO) == 1
    /// See https://no-color.org: set and not empty.
    static let outHasColor = outIsTerminal && (Environment["NO_COLOR"] ?? "").isEmpty
    static let errorHasColor = errorIsTerminal && (Environment["NO_COLOR"] ?? "").isEmpty

    /// Data, as it is.
    static func write(_ bytes: [UInt8]) { put(bytes, to: STDOUT_FILENO) }

    /// One line of data.
    static func print(_ line: String) { write(Array((line + "\n").utf8)) }

    /// A table for a terminal, lines with tabs for a pipe.
    static func print(_ table: Table) {
        let lines = outIsTerminal ? table.lines(color: outHasColor) : table.tabbed
        write(Array(lines.map { $0 + "\n" }.joined().utf8))
    }

    /// One JSON value for programs; indented where a person may look at it.
    static func print(_ json: JSON) {
        write(json.encoded(pretty: outIsTerminal) + [UInt8(ascii: "\n")])
    }

    /// A line for people.
    static func tell(_ words: String) { put(Array((words + "\n").utf8), to: STDERR_FILENO) }

    /// What went wrong, and what to do about it.
    static func tell(_ error: any Explained) {
        let label = errorHasColor ? Style.bad.paint("Error:") : "Error:"
        tell("\(label) \(printable(error.summary, keepingLines: true))")
        if let hint = error.hint { tell(printable(hint, keepingLines: true)) }
    }

    /// Replaces the line that the last call drew; an empty text clears it. On a terminal only.
    static func draw(_ text: String) {
        guard errorIsTerminal else { return }
        put(Array("\r\u{1B}[K\(text)".utf8), to: STDERR_FILENO)
    }

    /// A reader that is gone (a closed pipe) ends the program, as the system does by a signal.
    private static func put(_ bytes: [UInt8], to descriptor: CInt) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno != EINTR { exit(EXIT_FAILURE) }
            rest = rest.dropFirst(max(count, 0))
        }
    }
}

/// Text that others wrote, without what would move a terminal's cursor or change its colours.
func printable(_ text: String, keepingLines: Bool = false) -> String {
    var shown = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\n" where keepingLines: shown.append(scalar)
        case "\n": shown.append(contentsOf: "\\n".unicodeScalars)
        case "\t": shown.append(contentsOf: "\\t".unicodeScalars)
        case "\r": shown.append(contentsOf: "\\r".unicodeScalars)
        case _ where scalar.properties.generalCategory == .control: shown.append("\u{FFFD}")
        default: shown.append(scalar)
        }
    }
    return String(shown)
}
