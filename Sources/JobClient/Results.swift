public import JobCore
public import JobWire

/// Waiting for jobs, and fetching what they made.
extension JobClient {
    /// Bytes asked for at once when a result is too large for one reply, if the runner allows it.
    private static let pieceBytes = 8 << 20
    /// The longest one request waits; a client that waits longer asks again. The runner allows a
    /// minute, but a runner that was restarted knows nothing of what it was asked before.
    private static let longestStep = Duration.seconds(5)

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
            let step = min(rest ?? Self.longestStep, Self.longestStep)
            if let result = try end(of: id, waitMs: step.milliseconds) { return result }
            if let rest, rest <= step { return nil }
        }
    }

    private func end(of id: JobID, waitMs: Int64) throws(ClientError) -> JobResult? {
        var body: JSON = ["id": .integer(id.rawValue)]
        if waitMs > 0 { body = body.with("wait_ms", .integer(waitMs)) }
        do throws(ClientError) {
            let reply = try call("job.result", body)
            return reply.status == 300 ? nil : try finished(reply)
        } catch {
            guard case .refused(let refusal) = error, refusal.code == "read_in_pieces" else {
                throw error
            }
            return try pieces(of: id)
        }
    }

    private func finished(_ reply: Response) throws(ClientError) -> JobResult {
        guard let result = reply.result else { throw .badReply("it tells of no end of a job") }
        return result
    }

    /// Reads a large result piece by piece.
    private func pieces(of id: JobID) throws(ClientError) -> JobResult {
        let most = min(Self.pieceBytes, try limit("reply_bytes", usual: Limits().replyBytes))
        var whole: JobResult?
        while true {
            let offset = Int64(whole?.bytes.count ?? 0)
            let body: JSON = [
                "id": .integer(id.rawValue), "offset": .integer(offset),
                "limit": .integer(Int64(most)),
            ]
            let reply = try call("job.result", body)
            let piece = try finished(reply)
            guard whole.map({ $0.end.attempt == piece.end.attempt }) ?? true, piece.offset == offset
            else { throw .badReply("the result changed while it was read") }

            whole?.bytes += piece.bytes
            let sum = whole ?? piece
            if reply.head["eof"]?.boolValue ?? true { return sum }
            guard !piece.bytes.isEmpty else { throw .badReply("a piece of the result is empty") }
            whole = sum
        }
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
        var open = ids
        var ends: [JSON] = []
        while !open.isEmpty {
            let rest = timeout.map { max($0 - start.duration(to: .now), .zero) } ?? step
            let pause = min(rest, step, Self.longestStep)
            let body: JSON = [
                "ids": open.prefix(most).json,
                "wait_ms": .integer(pause.milliseconds),
            ]
            let found = try call("job.wait", body).array("jobs")
            let ended = Set(found.compactMap { $0["id"]?.integerValue.map(JobID.init(rawValue:)) })
            ends += found
            open.removeAll { ended.contains($0) }
            guard heard(ends.count), timeout == nil || rest > .zero else { break }
        }
        return ends
    }
}

extension Duration {
    /// Whole milliseconds, rounded up.
    fileprivate var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let perMillisecond: Int64 = 1_000_000_000_000_000
        return seconds * 1_000 + (attoseconds + perMillisecond - 1) / perMillisecond
    }
}

extension Collection<JobID> {
    var json: JSON { .array(map { .integer($0.rawValue) }) }
}
