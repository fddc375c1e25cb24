internal import JobCore
internal import JobWire

/// Reads a result piece by piece. Pure: it says what to ask next, and is told what was answered.
struct Reading {
    /// Bytes asked for at once, unless the caller or the runner wants less.
    static let pieceBytes = 8 << 20

    let id: JobID
    /// Bytes asked for at once.
    let most: Int
    /// The job's end, from the first piece; the bytes are in the pieces.
    private(set) var end: JobResult?
    private(set) var isOver = false
    private var offset: Int64 = 0

    init(_ id: JobID, most: Int) {
        self.id = id
        self.most = max(most, 1)
    }

    var letter: Letter {
        Letter(
            "job.result",
            [
                "id": .integer(id.rawValue), "offset": .integer(offset),
                "limit": .integer(Int64(most)),
            ]
        )
    }

    /// - Returns: The next bytes.
    mutating func heard(_ reply: Response) throws(ClientError) -> [UInt8] {
        var piece = try reply.end()
        let attempt = end?.end.attempt ?? piece.end.attempt
        guard piece.end.attempt == attempt, piece.offset == offset else {
            throw .badReply("the result changed while it was read")
        }
        let bytes = piece.bytes
        isOver = reply.head["eof"]?.boolValue ?? true
        guard isOver || !bytes.isEmpty else { throw .badReply("a piece of the result is empty") }
        offset += Int64(bytes.count)
        piece.bytes = []
        end = end ?? piece
        return bytes
    }
}

/// Waits for many jobs. Pure, as `Reading`.
struct Waiting {
    /// The longest one request waits; who waits longer asks again. The runner allows a minute, but
    /// a runner that was restarted knows nothing of what it was asked before.
    static let longestStep = Duration.seconds(5)

    private(set) var open: [JobID]
    /// As the protocol tells them.
    private(set) var ends: [JSON] = []

    init(for ids: [JobID]) { open = ids }

    /// About the first `most` that have not ended.
    func letter(most: Int, waitMs: Int64) -> Letter {
        Letter("job.wait", ["ids": open.prefix(most).json, "wait_ms": .integer(waitMs)])
    }

    mutating func heard(_ reply: Response) throws(ClientError) {
        let found = try reply.array("jobs")
        let ended = Set(found.compactMap { $0["id"]?.integerValue.map(JobID.init(rawValue:)) })
        ends += found
        open.removeAll { ended.contains($0) }
    }
}
