internal import JobCore
internal import JobWire

/// A question as a value: what is sent, and what its answer means. Both clients ask the same ones.
struct Question<Answer> {
    let letter: Letter
    let read: (Response) throws(ClientError) -> Answer

    init(_ letter: Letter, _ read: @escaping (Response) throws(ClientError) -> Answer) {
        self.letter = letter
        self.read = read
    }
}

extension Question<Accepted> {
    /// The job gets a key unless it has one, so that it can be sent again after a time-out.
    static func submit(_ job: JSON, frames: [[UInt8]]) -> Self {
        Self(Letter("job.submit", keyed(job), frames: frames)) { reply throws(ClientError) in
            guard let id = reply.ids.first, let state = reply.state else {
                throw .badReply("it has no job id and state")
            }
            let created = reply.head["created"]?.boolValue ?? true
            return Accepted(id: id, state: state, created: created)
        }
    }
}

extension Question<[JobID]> {
    static func submit(all jobs: [JSON], frames: [[UInt8]]) -> Self {
        let body: JSON = ["jobs": .array(jobs.map(keyed))]
        return Self(Letter("job.submit", body, frames: frames)) { reply throws(ClientError) in
            guard reply.ids.count == jobs.count else {
                throw .badReply("it has \(reply.ids.count) ids for \(jobs.count) jobs")
            }
            return reply.ids
        }
    }
}

extension Question<JSON> {
    static func list(_ filter: JobFilter, after: JobID?, limit: Int?) -> Self {
        var body = filter.json
        if let after { body = body.with("after", .integer(after.rawValue)) }
        if let limit { body = body.with("limit", .integer(Int64(limit))) }
        return Self(Letter("job.list", body)) { $0.json }
    }

    static var info: Self { Self(Letter("sys.info")) { $0.json } }
    static var statistics: Self { Self(Letter("sys.stats")) { $0.json } }
}

extension Question<[JSON]> {
    static func show(_ ids: some Collection<JobID>) -> Self {
        Self(Letter("job.show", ["ids": ids.json])) { reply throws(ClientError) in
            try reply.array("jobs")
        }
    }

    static var queues: Self {
        Self(Letter("queue.list")) { reply throws(ClientError) in try reply.array("queues") }
    }
}

extension Question<Int64> {
    /// Cancels, retries or deletes.
    static func change(_ service: String, _ jobs: Selection) -> Self {
        Self(.once(service, jobs.json)) { reply throws(ClientError) in try reply.integer("count") }
    }
}

extension Question<Void> {
    static func setPaused(_ isPaused: Bool, _ queue: QueueName?) -> Self {
        Self(Letter(isPaused ? "queue.pause" : "queue.resume", queue.json)) { _ in }
    }

    static var ping: Self { Self(Letter("sys.ping")) { _ in } }
}

extension Question<JobResult?> {
    /// Nil while the job has not ended.
    static func result(of id: JobID, waitMs: Int64) -> Self {
        var body: JSON = ["id": .integer(id.rawValue)]
        if waitMs > 0 { body = body.with("wait_ms", .integer(waitMs)) }
        return Self(Letter("job.result", body)) { reply throws(ClientError) in
            reply.status == 300 ? nil : try reply.end()
        }
    }
}

extension Response {
    func end() throws(ClientError) -> JobResult {
        guard let result else { throw .badReply("it tells of no end of a job") }
        return result
    }

    /// Itself, unless it is a refusal.
    func good() throws(ClientError) -> Response {
        if let refusal { throw .refused(refusal) }
        return self
    }
}

/// A random name that nobody else gives.
func freshName() -> String {
    var random = SystemRandomNumberGenerator()
    let digits = String(random.next(), radix: 16) + "-" + String(random.next(), radix: 16)
    return "client-\(digits)"
}

private func keyed(_ job: JSON) -> JSON {
    job["key"] == nil ? job.with("key", .string(freshName())) : job
}
