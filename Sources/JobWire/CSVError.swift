public import JobCore

/// Why a text is no CSV that we accept, and where.
public struct CSVError: Error, Equatable, Sendable {
    public let problem: Problem
    /// From 1; lines end with a line feed.
    public let line: Int
    /// From 1, in Unicode scalars.
    public let column: Int

    public enum Problem: Equatable, Sendable {
        case invalidUTF8
        case noHeader
        /// Two columns of this name.
        case duplicateColumn(String)
        case tooManyColumns(limit: Int)
        /// A row with another number of fields than the header.
        case fieldCount(Int, expected: Int)
        case unclosedQuote
        /// A quote in a field that does not begin with one.
        case strayQuote
        /// Something between a closing quote and the end of its field.
        case textAfterQuote
        /// Without the line feed behind it.
        case bareCarriageReturn
    }

    init(_ problem: Problem, at offset: Int, of bytes: [UInt8]) {
        self.problem = problem
        (line, column) = place(of: offset, in: bytes)
    }
}

extension CSVError: Explained {
    public var summary: String {
        "The CSV is wrong at line \(line), column \(column): \(problem.words)."
    }

    public var hint: String? {
        switch problem {
        case .invalidUTF8: "Save it as UTF-8."
        case .noHeader, .duplicateColumn: "The first line names the columns, each once."
        case .tooManyColumns: nil
        case .fieldCount: "A field that contains a comma or a line end stands in double quotes."
        case .unclosedQuote, .strayQuote, .textAfterQuote:
            "Put the whole field in double quotes, and double each quote in it."
        case .bareCarriageReturn: "Lines end with CRLF or LF; elsewhere, quote the field."
        }
    }
}

extension CSVError.Problem {
    fileprivate var words: String {
        switch self {
        case .invalidUTF8: "the bytes are not UTF-8"
        case .noHeader: "it has no header"
        case .duplicateColumn(let name): "two columns have the name \(quoted(name))"
        case .tooManyColumns(let limit): "it has more than \(limit) columns"
        case .fieldCount(let found, let expected):
            "this row has \(found) fields, and the header has \(expected)"
        case .unclosedQuote: "this quote is never closed"
        case .strayQuote: "a quote stands in a field that does not begin with one"
        case .textAfterQuote: "a comma or the end of the line was expected behind the quote"
        case .bareCarriageReturn: "a carriage return stands without a line feed"
        }
    }
}
