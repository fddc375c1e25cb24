internal import JobCore
internal import SQLite

/// Results: their heads, their bytes, and pieces of them.
extension StoreReader {
    /// At most `limits.replyBytes` are read: whoever wants all of a larger one asks again.
    func result(_ id: JobID, _ range: ByteRange) throws(SQLiteError) -> Answer {
        let isIssued = try areIssued([id]).contains(true)
        guard let end = try end(of: id) else { return .result(nil, isIssued: isIssued) }
        guard end.state == .succeeded else {
            return .result(JobResult(end: end), isIssued: isIssued)
        }
        guard let found = try head(of: id) else { throw .noResult(id) }
        let total = found.head.totalBytes
        let offset = min(max(range.offset, 0), total)
        let wanted = min(max(range.limit ?? .max, 0), Int64(limits.replyBytes), total - offset)
        let bytes = try bytes(of: id, found, offset..<(offset + wanted))
        let result = JobResult(end: end, head: found.head, offset: offset, bytes: bytes)
        return .result(result, isIssued: isIssued)
    }

    /// Parts that are not there are told as damaged, too, but for the last ones: how many there
    /// were only their kernel can tell.
    func gather(_ parent: JobID) throws(SQLiteError) -> Answer {
        let children = try questions.with(.partResults, parent.rawValue).all {
            (id: JobID(rawValue: $0.integer(0)), part: $0.integer(1))
        }
        var results: [[UInt8]] = []
        for (place, (child, part)) in children.enumerated() {
            do throws(SQLiteError) {
                guard part == Int64(place) + 1 else { throw .damage("a part is not there") }
                guard let found = try head(of: child) else { throw .noResult(child) }
                results.append(try bytes(of: child, found, 0..<found.head.totalBytes))
            } catch {
                guard error.isCorrupt else { throw error }
                return .partDamaged(parent, part: place + 1)
            }
        }
        return .gathered(parent, results)
    }

    /// A result's row without the bytes, and the sum over both.
    struct Found {
        var head: ResultHead
        var attempt: Int64
        /// Nil in rows that were written before there were sums.
        var checksum: Int64?

        /// Results in parts have no bytes in this row.
        var isWhole: Bool { head.totalBytes <= Commit.partBytes }
    }

    func head(of id: JobID) throws(SQLiteError) -> Found? {
        guard var found = try row(of: id) else { return nil }
        if found.head.format == .text || found.head.format == .bytes {
            found.head.stderr = try stderr(of: id, found.attempt)
        }
        return found
    }

    /// Nil when the result is not a command's, see `Commit.stderrPart`.
    private func stderr(of id: JobID, _ attempt: Int64) throws(SQLiteError) -> String? {
        let part = Int64(Commit.stderrPart)
        let statement = try questions.with(.resultParts, id.rawValue, attempt, part, part)
        defer { statement.reset() }
        guard try statement.step() else { return nil }
        try check(statement, of: id, attempt)
        return statement.withBytes(1) { String(decoding: $0, as: UTF8.self) }
    }

    private func row(of id: JobID) throws(SQLiteError) -> Found? {
        try questions.with(.resultHead, id.rawValue).first { statement throws(SQLiteError) in
            var row = Row(of: statement)
            let attempt = row.integer()
            let format = try row.word(ResultFormat.self)
            let rows = row.optionalInteger()
            let head = ResultHead(format: format, totalBytes: row.integer(), rows: rows)
            let found = Found(head: head, attempt: attempt, checksum: row.optionalInteger())
            try row.check()
            return found
        }
    }

    private func bytes(
        of id: JobID,
        _ found: Found,
        _ range: Range<Int64>
    ) throws(SQLiteError) -> [UInt8] {
        let bytes =
            found.isWhole ? try whole(of: id, found, range) : try parts(of: id, found, range)
        guard bytes.count == range.count else { throw .damagedResult(id) }
        return bytes
    }

    private func whole(
        of id: JobID,
        _ found: Found,
        _ range: Range<Int64>
    ) throws(SQLiteError) -> [UInt8] {
        try questions.with(.resultBody, id.rawValue).first { statement throws(SQLiteError) in
            let sum = statement.withBytes(0) {
                Checksum.of(found.head, job: id, attempt: found.attempt, body: $0)
            }
            guard found.checksum ?? sum == sum else { throw .damagedResult(id) }
            return statement.slice(of: 0, range)
        } ?? []
    }

    private func parts(
        of id: JobID,
        _ found: Found,
        _ range: Range<Int64>
    ) throws(SQLiteError) -> [UInt8] {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        let sum = Checksum.of(found.head, job: id, attempt: found.attempt, body: none)
        guard found.checksum ?? sum == sum else { throw .damagedResult(id) }
        guard !range.isEmpty else { return [] }

        let partBytes = Int64(Commit.partBytes)
        let first = range.lowerBound / partBytes
        let last = (range.upperBound - 1) / partBytes
        let statement = try questions.with(.resultParts, id.rawValue, found.attempt, first, last)
        defer { statement.reset() }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        while try statement.step() {
            try check(statement, of: id, found.attempt)
            let start = statement.integer(0) * partBytes
            bytes += statement.slice(of: 1, (range.lowerBound - start)..<(range.upperBound - start))
        }
        return bytes
    }

    /// One of `.resultParts`, by its sum.
    private func check(
        _ statement: Statement,
        of id: JobID,
        _ attempt: Int64
    ) throws(SQLiteError) {
        let part = statement.integer(0)
        let sum = statement.withBytes(1) {
            Checksum.of(part: part, job: id, attempt: attempt, body: $0)
        }
        guard statement.isNull(2) || statement.integer(2) == sum else { throw .damagedResult(id) }
    }
}

extension SQLiteError {
    fileprivate static func noResult(_ id: JobID) -> SQLiteError {
        .damage("job \(id.rawValue) succeeded, and its result is not there")
    }

    fileprivate static func damagedResult(_ id: JobID) -> SQLiteError {
        .damage("the result of job \(id.rawValue) is not as it was written")
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
