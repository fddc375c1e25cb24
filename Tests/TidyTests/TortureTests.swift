internal import Foundation
internal import Testing

/// The rows of `deploy/torture` are patterns for names of tests. One that no test has leaves a
/// promise untried, and says nothing.
@Suite("Torture") struct TortureTests {
    /// As `swift test --filter` sees them.
    static let tests = SourceFile.all(in: "Tests").flatMap { file -> [String] in
        let target = file.path.split(separator: "/")[1]
        var suite: Substring = ""
        return file.lines.compactMap { line in
            let type = /(?:@Suite.* )?(?:final class|struct|extension) (\w+)/
            if let found = line.prefixMatch(of: type) { suite = found.1 }
            guard let name = line.firstMatch(of: /func (`[^`]+`|\w+)\(/)?.1 else { return nil }
            return "\(target).\(suite)/\(name)()"
        }
    }

    @Test func `every part of every row's pattern is the name of a test`() throws {
        let path = SourceFile.root.appending(path: "deploy/torture").path()
        let script = try String(contentsOfFile: path, encoding: .utf8)
        let matrix = script.components(separatedBy: "matrix=\"")[1].components(separatedBy: "\"")[0]
        let rows = matrix.split(separator: "\n")
        #expect(rows.count > 20)
        for row in rows {
            let words = row.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true)
            let pattern = words[2].drop { $0 == " " }
            for part in parts(of: pattern) {
                let regex = try Regex(part)
                if !Self.tests.contains(where: { $0.contains(regex) }) {
                    Issue.record("\(words[0]): no test is called \(part).")
                }
            }
        }
    }

    /// `a(b|c)|d` is `ab`, `ac` and `d`. No group stands in another.
    private func parts(of pattern: Substring) -> [String] {
        if let group = pattern.firstMatch(of: /([^|]*)\(([^)]*)\)(.*)/) {
            let before = pattern[..<group.range.lowerBound].split(separator: "|").map(String.init)
            var rest = group.3
            let end = rest.firstIndex(of: "|") ?? rest.endIndex
            let behind = rest[..<end]
            rest = rest[end...]
            return before + group.2.split(separator: "|").map { "\(group.1)\($0)\(behind)" }
                + parts(of: rest)
        }
        return pattern.split(separator: "|").map(String.init)
    }
}
