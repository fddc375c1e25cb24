public import JobCore
public import JobWire

/// Waiting for jobs, and fetching what they made.
extension JobClient {
    /// The end of a job, with its result; nil while it has not ended.
    ///
    /// - Parameters:
    ///   - id: A job that was submitted.
    ///   - wait: How long to wait for the end; nil is for ever, zero not at all.
    /// - Returns: The outcome, whether good or bad, with the whole result.
    /// - Throws: `.refused` when the id is unknown or the result has expired.
    public func result(of id: JobID, wait: Duration? = .zero) throws(ClientError) -> JobResult? {
        let start = ContinuousClock.now
        while true {
            let rest = wait.map { max($0 - start.duration(to: .now), .zero) }
            let step = min(rest ?? Waiting.longestStep, Waiting.longestStep)
            if let result = try end(of: id, waitMs: step.milliseconds) { return result }
            if let rest, rest <= step { return nil }
        }
    }

    private func end(of id: JobID, waitMs: Int64) throws(ClientError) -> JobResult? {
        do throws(ClientError) {
            return try put(.result(of: id, waitMs: waitMs))
        } catch {
            guard error.isTooLargeForOneReply else { throw error }
            var reading = try beginReading(id, pieceBytes: Reading.pieceBytes)
            var bytes: [UInt8] = []
            while let piece = try nextPiece(&reading) { bytes += piece }
            var result = reading.end
            result?.bytes = bytes
            return result
        }
    }

    /// Reads a result of any size piece by piece, so that only one piece is in memory.
    ///
    /// - Parameters:
    ///   - id: A job that has ended.
    ///   - pieceBytes: How many bytes to ask for at once; the runner may allow less.
    ///   - take: Is given the pieces, in their order.
    /// - Returns: The outcome, whether good or bad, without the bytes.
    /// - Throws: `.refused` when the id is unknown or the result has expired; what `take` throws.
    public func read(
        _ id: JobID,
        pieceBytes: Int = 8 << 20,
        _ take: ([UInt8]) throws -> Void
    ) throws -> JobResult {
        var reading = try beginReading(id, pieceBytes: pieceBytes)
        while let piece = try nextPiece(&reading) { try take(piece) }
        guard let end = reading.end else { throw ClientError.badReply("it has no pieces") }
        return end
    }

    private func beginReading(_ id: JobID, pieceBytes: Int) throws(ClientError) -> Reading {
        Reading(id, most: min(pieceBytes, try limit("reply_bytes", usual: Limits().replyBytes)))
    }

    private func nextPiece(_ reading: inout Reading) throws(ClientError) -> [UInt8]? {
        if reading.isOver { return nil }
        let letter = reading.letter
        return try reading.heard(try call(letter.service, letter.arguments))
    }

    /// Waits until all of these jobs have ended.
    ///
    /// - Parameters:
    ///   - ids: Jobs that were submitted.
    ///   - timeout: How long; nil is for ever.
    ///   - step: How often `heard` is called while nothing happens; 5 s at most.
    ///   - heard: Is told how many have ended, and returns false to stop waiting.
    /// - Returns: The ends, as the protocol tells them, of the jobs that have ended.
    /// - Throws: `.refused` when an id is unknown.
    public func wait(
        for ids: [JobID],
        timeout: Duration? = nil,
        step: Duration = .seconds(5),
        heard: (Int) -> Bool = { _ in true }
    ) throws(ClientError) -> [JSON] {
        let start = ContinuousClock.now
        let most = ids.count > 1 ? try mostIDs() : 1
        var waiting = Waiting(for: ids)
        while !waiting.open.isEmpty {
            let rest = timeout.map { max($0 - start.duration(to: .now), .zero) } ?? step
            let pause = min(rest, step, Waiting.longestStep)
            let letter = waiting.letter(most: most, waitMs: pause.milliseconds)
            try waiting.heard(try call(letter.service, letter.arguments))
            guard heard(waiting.ends.count), timeout == nil || rest > .zero else { break }
        }
        return waiting.ends
    }
}

extension ClientError {
    /// The result must be read in pieces.
    var isTooLargeForOneReply: Bool {
        guard case .refused(let refusal) = self else { return false }
        return refusal.code == "read_in_pieces"
    }
}

extension Duration {
    /// Whole milliseconds, rounded up.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let perMillisecond: Int64 = 1_000_000_000_000_000
        return seconds * 1_000 + (attoseconds + perMillisecond - 1) / perMillisecond
    }
}

extension Collection<JobID> {
    var json: JSON { .array(map { .integer($0.rawValue) }) }
}
