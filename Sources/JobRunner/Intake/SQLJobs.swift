internal import JobWire

// Reads `.sql` files: headers in the leading comments, then the statement.
//
// ```
// -- database: sales
// -- timeout: 10m
// -- param day: 2026-01-01
// -- Ordinary words are no header.
// SELECT sum(amount) FROM sale WHERE day = :day
// ```
// The leading comments are the lines before the first that is neither empty nor begins with `--`.
// Among them a line `-- word: value` is a header, and so is `-- word name: value` when its first
// word is a header's; an unknown word before a colon is an error, for a typo must not become a
// default. A line of any other shape is prose, also one that begins with an address
// (`https://…`). Everything after the leading comments is the SQL.

extension JobCollector {
    mutating func readSQL() throws(JobFileProblem) {
        if let nul = text.firstIndex(of: 0) {
            throw problem("The SQL contains a zero byte.", at: .byte(nul), hint: "Remove it.")
        }
        var raw = RawJob(at: .byte(0))
        var parameters = JSONObject()
        var sqlStart = text.endIndex
        for line in lines {
            guard let start = line.firstIndex(where: { !isSpace($0) }) else { continue }
            guard line[start...].starts(with: "--".utf8) else {
                sqlStart = start
                break
            }
            guard let header = try header(line[start...].dropFirst(2)) else { continue }
            try add(header, to: &raw, &parameters)
        }
        guard hasStatement(from: sqlStart) else {
            throw problem(
                "The file holds no SQL statement.",
                at: .byte(sqlStart),
                hint: "Write the statement after the comments."
            )
        }
        if !parameters.isEmpty { _ = raw.object.append("params", .object(parameters)) }
        let sql = String(decoding: text[sqlStart...], as: UTF8.self)
        _ = raw.object.append("sql", .string(sql))
        raw.spots["sql"] = .byte(sqlStart)
        try add(raw)
    }

    private func add(
        _ header: SQLHeader,
        to raw: inout RawJob,
        _ parameters: inout JSONObject
    ) throws(JobFileProblem) {
        let spot = Spot.byte(header.start)
        let isNew: Bool
        if header.kind == .parameter {
            isNew = parameters.append(header.name, parameter(header.value))
            if raw.spots["params"] == nil { raw.spots["params"] = spot }
        } else {
            isNew = raw.object.append(header.name, try value(of: header))
            raw.spots[header.name] = spot
        }
        guard isNew else {
            throw problem("\(quoted(header.name)) is given twice.", at: spot)
        }
    }

    /// A JSON scalar has its type, everything else is text.
    private func parameter(_ text: String) -> JSON {
        switch try? JSON(parsing: Array(text.utf8)) {
        case nil, .array, .object: .string(text)
        case .some(let scalar): scalar
        }
    }

    private func value(of header: SQLHeader) throws(JobFileProblem) -> JSON {
        switch header.kind {
        case .text, .duration, .parameter: return .string(header.value)
        case .list:
            let words = header.value.split(separator: ",").map { trimmed($0) }
            return .array(words.map { .string(String($0)) })
        case .ids:
            let words = header.value.split(separator: ",").map { String(trimmed($0)) }
            return .array(words.map { Int64($0).map(JSON.integer) ?? .string($0) })
        case .number:
            guard let number = Int64(header.value) else {
                throw problem(
                    "\(header.name) must be a whole number.",
                    at: .byte(header.start),
                    hint: header.name.hasSuffix("_ms")
                        ? "Write milliseconds, or use \(header.name.dropLast(3)): 10m." : nil
                )
            }
            return .integer(number)
        }
    }

    /// Reads a line without its leading `--`; nil when it is prose.
    private func header(_ comment: ArraySlice<UInt8>) throws(JobFileProblem) -> SQLHeader? {
        guard let colon = comment.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let words = comment[..<colon].split(whereSeparator: isSpace)
        guard let first = words.first, words.count <= 2, isWord(first) else { return nil }
        guard !comment[(colon + 1)...].starts(with: "//".utf8) else { return nil }

        let word = String(decoding: first, as: UTF8.self)
        let value = trimmed(Substring(decoding: comment[(colon + 1)...], as: UTF8.self))
        guard let kind = SQLHeader.kinds[word] else {
            guard words.count == 1 || distance(word, "param") <= 2 else { return nil }
            throw unknown(word, at: first.startIndex)
        }
        guard (kind == .parameter) == (words.count == 2) else {
            let shape = kind == .parameter ? "-- param NAME: VALUE" : "-- \(word): VALUE"
            throw problem("The header is written \(shape).", at: .byte(first.startIndex))
        }
        guard kind == .parameter || !value.isEmpty else {
            throw problem(
                "\(word) has no value.",
                at: .byte(first.startIndex),
                hint: "Give it one, or leave the line out."
            )
        }
        let name = String(decoding: words.last ?? first, as: UTF8.self)
        return SQLHeader(name: name, value: String(value), kind: kind, start: first.startIndex)
    }

    private func unknown(_ word: String, at offset: Int) -> JobFileProblem {
        let near = nearest(to: word, in: SQLHeader.kinds.keys.sorted())
        let meant = near.map { "Did you mean \($0)? " } ?? ""
        return problem(
            "There is no header \(quoted(word)).",
            at: .byte(offset),
            hint: meant + "A comment that is no header must not begin with a word and a colon."
        )
    }

    /// True when there is more than space, semicolons and comments.
    private func hasStatement(from start: Int) -> Bool {
        var rest = text[start...]
        while let byte = rest.first {
            if rest.starts(with: "--".utf8) {
                rest = rest.drop { $0 != UInt8(ascii: "\n") }
            } else if rest.starts(with: "/*".utf8) {
                rest = rest.dropFirst(2)
                while !rest.isEmpty, !rest.starts(with: "*/".utf8) { rest.removeFirst() }
                rest = rest.dropFirst(2)
            } else if isSpace(byte) || byte == UInt8(ascii: ";") {
                rest.removeFirst()
            } else {
                return true
            }
        }
        return false
    }
}

/// One header of a `.sql` file.
struct SQLHeader {
    enum Kind {
        case text, number, duration, list, ids, parameter
    }

    static let kinds: [String: Kind] = [
        "database": .text, "queue": .text, "mode": .text, "format": .text, "key": .text,
        "each": .text, "name": .text, "priority": .number, "max_attempts": .number,
        "ready_at": .number, "timeout": .duration, "timeout_ms": .number, "delay": .duration,
        "delay_ms": .number, "keep": .duration, "keep_ms": .number, "tags": .list,
        "param": .parameter, "after": .ids, "on_failure": .text,
    ]

    /// The field of the job, or the parameter's name.
    var name: String
    var value: String
    var kind: Kind
    /// The byte where it begins.
    var start: Int
}

private func isWord(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.allSatisfy { byte in
        let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        return isLetter || isDigit || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
    }
}

private func trimmed(_ text: Substring) -> Substring {
    var text = text.drop { $0.isWhitespace }
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
}

/// The word that is meant most likely: at most two letters away, and fewer than its length.
///
/// Source: the distance is Levenshtein's.
private func nearest(to word: String, in words: [String]) -> String? {
    let distances = words.map { (distance(word.lowercased(), $0), $0) }
    guard let best = distances.min(by: { $0.0 < $1.0 }), best.0 <= 2, best.0 < word.count else {
        return nil
    }
    return best.1
}

private func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a.utf8.prefix(60)), Array(b.utf8))
    var row = Array(0...b.count)
    for (i, left) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, right) in b.enumerated() {
            let changed = diagonal + (left == right ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(changed, diagonal + 1, row[j] + 1)
        }
    }
    return row[b.count]
}
