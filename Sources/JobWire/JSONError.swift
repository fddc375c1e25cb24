public import JobCore

/// Why a text is no JSON that we accept, and where.
public struct JSONError: Error, Equatable, Sendable {
    public let problem: Problem
    /// In bytes, from 0.
    public let offset: Int
    /// From 1; lines end with a line feed.
    public let line: Int
    /// From 1, in Unicode scalars.
    public let column: Int

    public enum Problem: Equatable, Sendable {
        case byteOrderMark
        case expected(Expectation)
        /// The text ends where something else had to come.
        case ended(before: Expectation)
        case leadingZero
        case controlCharacter
        case unknownEscape
        case loneSurrogate
        case invalidUTF8
        case duplicateKey(String)
        case trailingBytes
        case tooDeep(limit: Int)
        case tooManyValues(limit: Int)
        case numberTooLong(limit: Int)
    }

    /// What the grammar wants at a place, in words for a sentence.
    public enum Expectation: String, Sendable {
        case value = "a value"
        case object = "an object"
        case array = "an array"
        case key = "a key in double quotes"
        case colon = "a colon"
        case commaOrBrace = "a comma or a closing brace"
        case commaOrBracket = "a comma or a closing bracket"
        case digit = "a digit"
        case hexDigits = "four hexadecimal digits"
        case quote = "a closing double quote"
    }

    init(_ problem: Problem, at offset: Int, of bytes: [UInt8]) {
        self.problem = problem
        self.offset = offset
        (line, column) = place(of: offset, in: bytes)
    }
}

extension JSONError: Explained {
    public var summary: String {
        "The JSON is wrong at line \(line), column \(column) (byte \(offset)): \(problem.words)."
    }

    public var hint: String? {
        switch problem {
        case .byteOrderMark: "Save the text as UTF-8 without a byte order mark."
        case .controlCharacter: "Write it as an escape, such as \\n or \\u0000."
        case .invalidUTF8: "Save the text as UTF-8."
        default: nil
        }
    }
}

extension JSONError.Problem {
    /// A key may be of any length and content, so it is shown shortened and escaped.
    private static func quoted(_ key: String) -> String {
        let shown = String(key.unicodeScalars.prefix(60))
        return String(decoding: JSON.string(shown).encoded(), as: UTF8.self)
    }

    fileprivate var words: String {
        switch self {
        case .byteOrderMark: "it begins with a byte order mark"
        case .expected(let expectation): "\(expectation.rawValue) was expected here"
        case .ended(let expectation): "the text ends where \(expectation.rawValue) was expected"
        case .leadingZero: "a number may not begin with a superfluous zero"
        case .controlCharacter: "a string may not contain a bare control character"
        case .unknownEscape: "there is no such escape"
        case .loneSurrogate: "half of a surrogate pair stands alone"
        case .invalidUTF8: "the bytes are not UTF-8"
        case .duplicateKey(let key):
            "the key \(Self.quoted(key)) stands twice in one object"
        case .trailingBytes: "something follows the value"
        case .tooDeep(let limit): "values are nested more than \(limit) deep"
        case .tooManyValues(let limit): "there are more than \(limit) values"
        case .numberTooLong(let limit): "a number is longer than \(limit) bytes"
        }
    }
}
