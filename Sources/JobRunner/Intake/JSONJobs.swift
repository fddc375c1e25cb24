internal import JobWire

// Reads `.json` and `.jsonl` files: piece by piece, so that every member has its place.

extension JobCollector {
    /// One job, or an object with the one member `jobs`.
    mutating func readJSON() throws(JobFileProblem) {
        guard text.contains(where: { !isSpace($0) }) else { return }
        let raw = try job(in: text.indices)
        guard let jobs = raw.object["jobs"] else { return try add(raw) }

        guard raw.object.count == 1 else {
            let other = raw.object.members.first { $0.key != "jobs" }?.key ?? ""
            throw problem(
                "\(quoted(other)) stands beside jobs.",
                at: raw.spots[other] ?? raw.start,
                hint: "Put it into each job of the list."
            )
        }
        guard jobs.arrayValue != nil else {
            throw problem("jobs must be a list of jobs.", at: raw.spots["jobs"] ?? raw.start)
        }
        try readList()
    }

    /// - Returns: The line of each job, from 1.
    mutating func readLines() throws(JobFileProblem) -> [Int] {
        var numbers: [Int] = []
        for (place, line) in lines.enumerated() where line.contains(where: { !isSpace($0) }) {
            try add(try job(in: line.indices))
            numbers.append(place + 1)
        }
        return numbers
    }

    /// Reads `{"jobs": […]}`, whose shape is known to be right.
    private mutating func readList() throws(JobFileProblem) {
        var places: [Range<Int>] = []
        do {
            var scanner = try JSONScanner(text)
            try scanner.enterObject()
            _ = try scanner.nextMember()
            try scanner.enterArray()
            while try scanner.nextElement() { places.append(try scanner.skipValue()) }
        } catch {
            throw problem(error)
        }
        for place in places { try add(try job(in: place)) }
    }

    private func job(in range: Range<Int>) throws(JobFileProblem) -> RawJob {
        let start = text[range].firstIndex { !isSpace($0) } ?? range.lowerBound
        var raw = RawJob(at: .byte(start))
        do {
            var scanner = try JSONScanner(text, in: range)
            try scanner.enterObject()
            while let key = try scanner.nextMember() {
                let colon = scanner.position
                let value = try scanner.value()
                let place = text[colon...].firstIndex { !isSpace($0) } ?? colon
                raw.spots[key] = .byte(place)
                _ = raw.object.append(key, value)  // The scanner has refused a second one.
            }
            try scanner.finish()
        } catch {
            throw problem(error)
        }
        return raw
    }

    private func problem(_ error: JSONError) -> JobFileProblem {
        JobFileProblem(
            error.sentence,
            at: JobFileProblem.Place(line: error.line, column: error.column),
            hint: error.hint
        )
    }
}

extension JSONError {
    /// What is wrong, without the place, which the file's own sentence begins with.
    fileprivate var sentence: String {
        guard let colon = summary.firstRange(of: "): ") else { return summary }
        let words = summary[colon.upperBound...]
        return "The JSON is wrong: \(words)"
    }
}

func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || (9...13).contains(byte)
}

/// Somebody else's text in a sentence: shortened and escaped.
func quoted(_ text: some StringProtocol) -> String {
    let shown = JSON.string(String(String.UnicodeScalarView(text.unicodeScalars.prefix(60))))
    return String(decoding: shown.encoded(), as: UTF8.self)
}
