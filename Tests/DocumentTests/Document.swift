internal import Foundation

/// A page of documentation, with the blocks in it that are to be tried.
///
/// A block is tried when the line before it, or the last line with words before it, is a comment in
/// HTML, which readers do not see: `<!-- test: WHAT ARGUMENT -->`.
struct Document: CustomStringConvertible {
    struct Block {
        /// What to do with it: the words of the comment.
        let what: String
        let argument: String
        let language: String
        let text: String
        /// Of the document, counted from 1.
        let line: Int
    }

    /// Below the root of the repository.
    let path: String
    let blocks: [Block]

    var description: String { path }

    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path()

    init(path: String) throws {
        self.path = path
        let text = try String(contentsOfFile: Self.root + "/" + path, encoding: .utf8)
        var blocks: [Block] = []
        var words: [Substring] = []
        var open: (language: Substring, line: Int, lines: [Substring])?
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            if let comment = line.wholeMatch(of: /<!-- test: (.*) -->/) {
                words = comment.1.split(separator: " ")
            } else if line.hasPrefix("```"), let block = open {
                if let what = words.first {
                    blocks.append(
                        Block(
                            what: String(what),
                            argument: words.dropFirst().joined(separator: " "),
                            language: String(block.language),
                            text: block.lines.map { $0 + "\n" }.joined(),
                            line: block.line
                        )
                    )
                }
                words = []
                open = nil
            } else if line.hasPrefix("```") {
                open = (line.dropFirst(3), number + 1, [])
            } else {
                open?.lines.append(line)
            }
        }
        self.blocks = blocks
    }
}

/// True when `text` is what `pattern` says: `…` stands for anything within a line.
func agrees(_ text: String, with pattern: String) -> Bool {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let patterns = pattern.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count == patterns.count else { return false }
    return zip(lines, patterns).allSatisfy { line, pattern in
        let pieces = pattern.split(separator: "…", omittingEmptySubsequences: false)
        guard pieces.count > 1 else { return line == pattern }
        guard line.hasPrefix(pieces[0]) else { return false }
        var rest = line.dropFirst(pieces[0].count)
        for piece in pieces.dropFirst().dropLast() {
            guard let found = rest.firstRange(of: piece) else { return false }
            rest = rest[found.upperBound...]
        }
        return rest.hasSuffix(pieces[pieces.count - 1])
    }
}
