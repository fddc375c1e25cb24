/// Names in sentences: those that clients send, shown safely, and those that they may have meant.

/// A name that may be of any length and content, shortened, escaped and in quotes.
func quoted(_ name: String) -> String {
    let shown = String(name.unicodeScalars.prefix(60))
    return String(decoding: JSON.string(shown).encoded(), as: UTF8.self)
}

/// "Did you mean …?", or the names to choose from when they are few, or nil.
func hint(for name: String, among known: some Sequence<String>) -> String? {
    let known = known.sorted()
    let wanted = Array(name.utf8)
    guard !known.isEmpty, wanted.count <= 64 else { return nil }
    let most = max(2, wanted.count / 3)
    let near = known.filter { abs($0.utf8.count - wanted.count) <= most }
        .map { (name: $0, steps: editSteps(wanted, Array($0.utf8))) }
        .filter { $0.steps <= most }
        .sorted { ($0.steps, $0.name) < ($1.steps, $1.name) }
        .prefix(3)
    if !near.isEmpty {
        return "Did you mean \(near.map(\.name).joined(separator: " or "))?"
    }
    return known.count <= 20 ? "Known are: \(known.joined(separator: ", "))." : nil
}

/// Insertions, deletions and replacements that turn one into the other.
///
/// Source: Wagner and Fischer, "The string-to-string correction problem", JACM 1974.
private func editSteps(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var row = Array(0...b.count)
    for (i, left) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, right) in b.enumerated() {
            let replaced = diagonal + (left == right ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
        }
    }
    return row[b.count]
}
