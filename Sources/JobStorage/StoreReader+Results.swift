internal import JobCore
internal import SQLite

/// Results: their heads, their bytes, and pieces of them.
extension StoreReader {
    /// At most `limits.replyBytes` are read: whoever wants all of a larger one asks again.
    func result(_ id: JobID, _ range: ByteRange) throws(SQLiteError) -> Answer {
        let isIssued = try areIssued([id]).contains(true)
        guard let end = try end(of: id) else { return .result(nil, isIssued: isIssued) }
        guard end.state == .succeeded, let found = try head(of: id) else {
            return .result(JobResult(end: end), isIssued: isIssued)
        }
        let total = found.head.totalBytes
        let offset = min(max(range.offset, 0), total)
        let wanted = min(max(range.limit ?? .max, 0), Int64(limits.replyBytes), total - offset)
        let bytes = try bytes(of: id, found, offset..<(offset + wanted))
        let result = JobResult(end: end, head: found.head, offset: offset, bytes: bytes)
        return .result(result, isIssued: isIssued)
    }

    func gather(_ parent: JobID) throws(SQLiteError) -> [[UInt8]] {
        let children = try questions.with(.partResults, parent.rawValue).all {
            JobID(rawValue: $0.integer(0))
        }
        var results: [[UInt8]] = []
        for child in children {
            guard let found = try head(of: child) else { continue }
            results.append(try bytes(of: child, found, 0..<found.head.totalBytes))
        }
        return results
    }

    func head(of id: JobID) throws(SQLiteError) -> (head: ResultHead, attempt: Int64)? {
        try questions.with(.resultHead, id.rawValue).first { statement throws(SQLiteError) in
            var row = Row(of: statement)
            let attempt = row.integer()
            let format = try row.word(ResultFormat.self)
            let rows = row.optionalInteger()
            let head = ResultHead(format: format, totalBytes: row.integer(), rows: rows)
            return (head, attempt)
        }
    }

    private func bytes(
        of id: JobID,
        _ found: (head: ResultHead, attempt: Int64),
        _ range: Range<Int64>
    ) throws(SQLiteError) -> [UInt8] {
        guard !range.isEmpty else { return [] }

        let partBytes = Int64(Commit.partBytes)
        if found.head.totalBytes <= partBytes {
            return try questions.with(.resultBody, id.rawValue).first {
                $0.slice(of: 0, range)
            } ?? []
        }
        let first = range.lowerBound / partBytes
        let last = (range.upperBound - 1) / partBytes
        let statement = try questions.with(.resultParts, id.rawValue, found.attempt, first, last)
        defer { statement.reset() }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        while try statement.step() {
            let start = statement.integer(0) * partBytes
            bytes += statement.slice(of: 1, (range.lowerBound - start)..<(range.upperBound - start))
        }
        return bytes
    }
}

extension Statement {
    /// The bytes of a column that lie in the range; it may begin before them and end behind.
    fileprivate func slice(of column: Int, _ range: Range<Int64>) -> [UInt8] {
        withBytes(column) { whole in
            let wanted = range.clamped(to: 0..<Int64(whole.count))
            return Array(whole[Int(wanted.lowerBound)..<Int(wanted.upperBound)])
        }
    }
}
