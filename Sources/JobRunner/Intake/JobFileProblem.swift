internal import JobCore

/// Why a file holds no jobs that we accept, and where: what a person reads who dropped it.
package struct JobFileProblem: Explained, Equatable {
    /// From 1.
    package var place: Place
    /// What is wrong, as a sentence without its place.
    package var problem: String
    /// One sentence: what to do.
    package var hint: String?

    package init(_ problem: String, at place: Place, hint: String? = nil) {
        self.place = place
        self.problem = problem
        self.hint = hint
    }

    package var summary: String { "Line \(place.line), column \(place.column): \(problem)" }

    /// A place in a text as editors count it.
    package struct Place: Equatable, Sendable {
        /// From 1; lines end with a line feed.
        package var line: Int
        /// From 1, in Unicode scalars.
        package var column: Int

        package static let start = Place(line: 1, column: 1)

        package init(line: Int, column: Int) {
            self.line = line
            self.column = column
        }

        /// The place of a byte, counted from 0.
        package init(of offset: Int, in bytes: [UInt8]) {
            self = .start
            for byte in bytes.prefix(offset) {
                if byte == UInt8(ascii: "\n") {
                    line += 1
                    column = 1
                } else if byte & 0xC0 != 0x80 {  // Not the continuation of a scalar.
                    column += 1
                }
            }
        }
    }
}

extension JobFileProblem {
    /// One line for `NAME.reason.txt`, and another for what to do.
    package var reason: String {
        hint.map { "\(summary)\n\($0)\n" } ?? "\(summary)\n"
    }
}
