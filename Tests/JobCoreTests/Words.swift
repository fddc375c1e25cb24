@testable import JobCore

// Short words to make jobs with.

func makeSpec(
    priority: Int = 0,
    queue: QueueName = .standard,
    writes: String? = nil,
    parts: Int = 1,
    sort: UInt64 = 1
) -> Spec {
    var spec = Spec(kind: parts > 1 ? .compute : .sql, body: [], timeoutMs: 60_000)
    spec.priority = priority
    spec.queue = queue
    spec.writes = writes
    spec.parts = parts
    spec.sort = sort
    return spec
}

func waiting(
    _ id: Int64,
    priority: Int = 0,
    readyAt: Int64 = 0,
    queue: QueueName = .standard,
    writes: String? = nil,
    losses: Int = 0
) -> Waiting {
    Waiting(
        id: JobID(rawValue: id),
        next: Attempt(rawValue: 1),
        readyAt: Timestamp(rawValue: readyAt),
        losses: losses,
        spec: makeSpec(priority: priority, queue: queue, writes: writes)
    )
}

func makeSubmission(
    _ spec: Spec = makeSpec(),
    key: String? = nil,
    start: Submission.Start = .now
) -> Submission {
    var job = Submission(spec: spec, key: key, fingerprint: 1)
    job.start = start
    return job
}
