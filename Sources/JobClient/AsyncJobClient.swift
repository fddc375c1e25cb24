public import JobCore
public import JobWire

/// Talks to one runner from any number of tasks: each asks and awaits its answer, and many requests
/// are under way at a time. A thread of its own does the waiting, none of Swift's pool.
///
/// All is as in `JobClient`, and it survives a restart of the runner as that does. A task that is
/// cancelled hears `.cancelled` at once.
public final class AsyncJobClient: Sendable {
    public let endpoint: String
    private let office: PostOffice
    private let limits = Known()

    /// Does not wait for the runner; the first request does.
    public init(
        endpoint: String,
        options: JobClient.Options = JobClient.Options()
    ) throws(ClientError) {
        self.endpoint = endpoint
        office = try PostOffice(endpoint: endpoint, options: options)
    }

    deinit { office.close() }

    /// Ends the connection and its thread; whoever still waits hears `.closed`. So does the end of
    /// this object.
    public func close() { office.close() }

    /// Sends one request and awaits its reply.
    ///
    /// - Returns: A reply of status 200 or 300.
    /// - Throws: `.refused` for every status from 400.
    public func call(_ letter: Letter) async throws(ClientError) -> Response {
        try await office.ask(letter).get().good()
    }

    func put<Answer>(_ question: Question<Answer>) async throws(ClientError) -> Answer {
        try question.read(try await call(question.letter))
    }

    // MARK: Submitting

    /// As `JobClient.submit`.
    public func submit(
        _ job: JSON,
        frames: [[UInt8]] = []
    ) async throws(ClientError) -> Accepted {
        try await put(.submit(job, frames: frames))
    }

    public func submit(_ job: NewJob) async throws(ClientError) -> Accepted {
        try await submit(job.json, frames: job.frames)
    }

    /// All or none, at most as many as the runner's `submission_jobs`.
    public func submit(
        all jobs: [JSON],
        frames: [[UInt8]] = []
    ) async throws(ClientError) -> [JobID] {
        try await put(.submit(all: jobs, frames: frames))
    }

    // MARK: Results

    /// The end of a job, with its result, whether good or bad; nil while it has not ended. `wait`
    /// is how long to wait for the end: nil is for ever, zero not at all.
    public func result(
        of id: JobID,
        wait: Duration? = nil
    ) async throws(ClientError) -> JobResult? {
        let start = ContinuousClock.now
        while true {
            let rest = wait.map { max($0 - start.duration(to: .now), .zero) }
            let step = min(rest ?? Waiting.longestStep, Waiting.longestStep)
            do throws(ClientError) {
                let ask = Question<JobResult?>.result(of: id, waitMs: step.milliseconds)
                if let result = try await put(ask) { return result }
            } catch {
                guard error.isTooLargeForOneReply else { throw error }
                return try await whole(id)
            }
            if let rest, rest <= step { return nil }
        }
    }

    private func whole(_ id: JobID) async throws(ClientError) -> JobResult? {
        var pieces = pieces(of: id).makeAsyncIterator()
        var bytes: [UInt8] = []
        while let piece = try await pieces.next() { bytes += piece }
        var result = pieces.end
        result?.bytes = bytes
        return result
    }

    /// Waits until all of these jobs have ended.
    ///
    /// - Returns: The ends, as the protocol tells them, of the jobs that have ended in time.
    public func wait(
        for ids: [JobID],
        timeout: Duration? = nil
    ) async throws(ClientError) -> [JSON] {
        let start = ContinuousClock.now
        let most = ids.count > 1 ? try await mostIDs() : 1
        var waiting = Waiting(for: ids)
        while !waiting.open.isEmpty {
            let rest = timeout.map { max($0 - start.duration(to: .now), .zero) }
            let step = min(rest ?? Waiting.longestStep, Waiting.longestStep)
            let letter = waiting.letter(most: most, waitMs: step.milliseconds)
            try waiting.heard(try await call(letter))
            if rest == .zero { break }
        }
        return waiting.ends
    }

    // MARK: Looking and changing

    /// As `JobClient.show`.
    public func show(_ ids: [JobID]) async throws(ClientError) -> [JSON] {
        var rest = ids[...]
        var jobs: [JSON] = []
        while !rest.isEmpty {
            let some = rest.prefix(try await mostIDs())
            jobs += try await put(.show(some))
            rest = rest.dropFirst(some.count)
        }
        return jobs
    }

    /// As `JobClient.list`.
    public func list(
        _ filter: JobFilter = JobFilter(),
        after: JobID? = nil,
        limit: Int? = nil
    ) async throws(ClientError) -> JSON {
        try await put(.list(filter, after: after, limit: limit))
    }

    /// Calls jobs off. Each of these is sent once, and tells how many jobs it changed.
    public func cancel(_ jobs: Selection) async throws(ClientError) -> Int64 {
        try await put(.change("job.cancel", jobs))
    }

    /// Has failed or cancelled jobs run again.
    public func retry(_ jobs: Selection) async throws(ClientError) -> Int64 {
        try await put(.change("job.retry", jobs))
    }

    /// Forgets jobs that have ended, with their results.
    public func delete(_ jobs: Selection) async throws(ClientError) -> Int64 {
        try await put(.change("job.delete", jobs))
    }

    public func queues() async throws(ClientError) -> [JSON] { try await put(.queues) }

    /// No job of this queue, or of any, starts until it is resumed; running ones go on.
    public func pause(_ queue: QueueName?) async throws(ClientError) {
        try await put(.setPaused(true, queue))
    }

    public func resume(_ queue: QueueName?) async throws(ClientError) {
        try await put(.setPaused(false, queue))
    }

    /// How long an answer takes.
    public func ping() async throws(ClientError) -> Duration {
        let start = ContinuousClock.now
        try await put(.ping)
        return start.duration(to: .now)
    }

    /// The runner's version, run and limits.
    public func info() async throws(ClientError) -> JSON { try await put(.info) }

    /// Counts, rates, times, workers, alarms.
    public func statistics() async throws(ClientError) -> JSON { try await put(.statistics) }

    // MARK: Limits

    func limit(_ name: String, usual: Int) async throws(ClientError) -> Int {
        let known: JSON
        if let found = limits.value {
            known = found
        } else {
            known = try await info()["limits"] ?? [:]
            limits.set(known)
        }
        return known[name]?.integerValue.map { max(1, Int(clamping: $0)) } ?? usual
    }

    private func mostIDs() async throws(ClientError) -> Int {
        try await limit("request_ids", usual: Limits().requestIDs)
    }
}
