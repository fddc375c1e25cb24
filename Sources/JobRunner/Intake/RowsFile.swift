internal import JobCore

/// The CSV that lies beside a file of jobs, and whose rows a job of that file runs with: the job
/// names it in `each`. By itself it is no job.
package enum RowsFile {
    /// Gives the bytes of the CSV of that name, which is the name of a file and no path.
    package typealias Reader = (_ name: String) throws(RowsProblem) -> [UInt8]

    /// For files that have nothing beside them.
    package static let none: @Sendable (String) throws(RowsProblem) -> [UInt8] = {
        name throws(RowsProblem) in throw .missing(name)
    }

    /// Whether a file of that name may be named in `each`.
    package static func isName(_ name: String) -> Bool {
        name.lowercased().hasSuffix(".csv") && name.utf8.first != UInt8(ascii: ".")
            && name.utf8.count <= Limits.nameBytes
            && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 0 }
    }
}

/// Why the CSV that a job names cannot be had.
package struct RowsProblem: Error, Equatable {
    /// One sentence.
    package var problem: String
    /// One sentence: what to do.
    package var hint: String?

    package init(_ problem: String, hint: String? = nil) {
        self.problem = problem
        self.hint = hint
    }
}

extension RowsProblem {
    package static func missing(_ name: String) -> RowsProblem {
        RowsProblem(
            "There is no file \(quoted(name)) beside it.",
            hint: "Put the CSV there first, then the file of jobs that names it."
        )
    }

    package static func tooLarge(_ name: String, most: Int) -> RowsProblem {
        RowsProblem(
            "The file \(quoted(name)) has more than \(most) bytes.",
            hint: "Split it, and name each part in a file of jobs of its own."
        )
    }

    static func notRegular(_ name: String) -> RowsProblem {
        RowsProblem(
            "\(quoted(name)) is no regular file but a link, a pipe, a directory or a device.",
            hint: "Copy the content into the directory."
        )
    }
}
