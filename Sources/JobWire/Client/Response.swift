public import JobCore

/// What a client is answered, taken apart: three digits, a JSON object, and a result's bytes.
public struct Response: Equatable, Sendable {
    /// As it was asked.
    public let service: [UInt8]
    /// The protocol's three digits.
    public let status: Int
    /// Empty for `mmi.service`.
    public let head: JSONObject
    /// The bytes of a result come first.
    public let frames: [[UInt8]]

    /// Reads the frames that a REQ socket gives, or a DEALER, with the delimiter before them.
    public init(_ message: [[UInt8]]) throws(FrameError) {
        let frames = message.first?.isEmpty == true ? message.dropFirst() : message[...]
        let first = frames.startIndex
        guard frames.count >= 3, frames[first] == clientProtocol else {
            throw FrameError("it is no reply of MDPC01")
        }
        service = frames[first + 1]
        status = try digits(frames[first + 2])
        head = try object(frames.dropFirst(3).first ?? [])
        self.frames = Array(frames.dropFirst(4))
    }

    /// True for 200: done. 300, too, is no refusal: it means not yet.
    public var isDone: Bool { status == 200 }

    /// The client's own name for the request.
    public var request: String? { head["request"]?.stringValue }

    /// Why the request was not done; nil when it was, or will be. A failed job is a result, and no
    /// refusal.
    public var refusal: Refusal? {
        guard status >= 400 else { return nil }
        let error = head["error"]
        var refusal = Refusal(
            status,
            error?["code"]?.stringValue ?? "unknown",
            error?["message"]?.stringValue ?? "The runner answered \(status).",
            hint: error?["hint"]?.stringValue,
            field: error?["field"]?.stringValue
        )
        refusal.retryAfterMs = error?["retry_after_ms"]?.integerValue
        refusal.totalBytes = error?["total_bytes"]?.integerValue
        return refusal
    }

    /// The ids that `job.submit` gave, of one job or of many.
    public var ids: [JobID] {
        let found = head["ids"]?.arrayValue ?? head["id"].map { [$0] } ?? []
        return found.compactMap { $0.integerValue.map(JobID.init(rawValue:)) }
    }

    public var state: JobState? {
        head["state"]?.stringValue.flatMap(JobState.init(rawValue:))
    }

    /// When to ask again, in ms, for what is not done yet.
    public var retryAfterMs: Int64? { head["retry_after_ms"]?.integerValue }

    /// The result of `job.result`, or of a `job.submit` that waited; nil when the job has not
    /// ended.
    public var result: JobResult? {
        guard isDone, let id = ids.first, let state, state.isFinal,
            let attempt = head["attempt"].flatMap(attempt)
        else { return nil }
        let end = JobEnd(
            id: id,
            state: state,
            attempt: attempt,
            failure: head["error"].flatMap(Failure.init)
        )
        return JobResult(
            end: end,
            head: ResultHead(head),
            offset: head["offset"]?.integerValue ?? 0,
            bytes: frames.first ?? []
        )
    }
}

extension ResultHead {
    /// From the members of a result's head; nil when it tells of none.
    fileprivate init?(_ head: JSONObject) {
        guard let format = head["format"]?.stringValue.flatMap(ResultFormat.init(rawValue:)),
            let totalBytes = head["total_bytes"]?.integerValue
        else { return nil }
        self.init(
            format: format,
            totalBytes: totalBytes,
            rows: head["rows"]?.integerValue,
            stderr: head["stderr"]?.stringValue
        )
    }
}

extension Failure {
    /// The `error` of a job, as replies tell it; nil when its code is not known.
    public init?(_ error: JSON) {
        guard let code = error["code"]?.stringValue.flatMap(Code.init(rawValue:)) else {
            return nil
        }
        self.init(
            code,
            error["message"]?.stringValue ?? "",
            hint: error["hint"]?.stringValue
        )
        sqliteCode = error["sqlite_code"]?.integerValue.flatMap(Int.init(exactly:))
        offset = error["offset"]?.integerValue.flatMap(Int.init(exactly:))
        exitCode = error["exit_code"]?.integerValue.flatMap(Int.init(exactly:))
    }
}

private func attempt(_ value: JSON) -> Attempt? {
    guard let number = value.integerValue.flatMap(Int.init(exactly:)), number >= 0 else {
        return nil
    }
    return Attempt(rawValue: number)
}

private func digits(_ frame: [UInt8]) throws(FrameError) -> Int {
    guard frame.count == 3, let status = Int(String(decoding: frame, as: UTF8.self)),
        status >= 100
    else { throw FrameError("its status is not three digits") }
    return status
}

private func object(_ frame: [UInt8]) throws(FrameError) -> JSONObject {
    if frame.isEmpty { return JSONObject() }
    let value: JSON
    do { value = try JSON(parsing: frame) } catch { throw FrameError(error.summary) }
    guard case .object(let object) = value else { throw FrameError("its head is no object") }
    return object
}
