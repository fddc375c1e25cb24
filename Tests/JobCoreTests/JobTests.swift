import Testing

@testable import JobCore

/// The life of a job: every event in every state.
@Suite("A job's life") struct JobTests {
    static let events: [JobEvent] = [
        .started(two), .succeeded(two), .failed(two, permanent: false),
        .failed(two, permanent: true), .lost(two), .putBack(two), .brokenOff(two),
        .split(two, children: 3), .childSucceeded, .childFailed, .cancel, .retry(waitingFor: 0),
        .spoiled, .crowded(two), .predecessorEnded(submittedAt: now), .predecessorFailed,
    ]
    /// The states as they are met, the attempt being 1, or 2 where one runs.
    static let situations = [
        "queued", "waits", "blocked", "running", "writing", "called off", "succeeded", "failed",
        "cancelled",
    ]
    /// What each event makes of each situation, in the order of `events`; "-" where it is illegal.
    static let table: [String: [String]] = [
        "queued": [
            "running", "succeeded", "queued", "failed", "queued", "queued", "cancelled", "queued",
            "-", "-", "cancelled", "-", "failed", "queued", "-", "-",
        ],
        "waits": [
            "-", "-", "-", "-", "-", "-", "-", "-", "queued", "failed", "cancelled", "-", "-",
            "-", "-", "-",
        ],
        "blocked": [
            "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "cancelled", "-", "-", "-", "queued",
            "failed",
        ],
        "running": [
            "-", "succeeded", "queued", "failed", "queued", "queued", "cancelled", "queued", "-",
            "-", "cancelled", "-", "failed", "queued", "-", "-",
        ],
        "writing": [
            "-", "succeeded", "queued", "failed", "queued", "queued", "cancelled", "queued", "-",
            "-", "running", "-", "failed", "queued", "-", "-",
        ],
        "called off": [
            "-", "succeeded", "cancelled", "cancelled", "cancelled", "cancelled", "cancelled", "-",
            "-", "-", "running", "-", "failed", "cancelled", "-", "-",
        ],
        "succeeded": Array(repeating: "-", count: 16),
        "failed": Array(repeating: "-", count: 11) + ["queued", "-", "-", "-", "-"],
        "cancelled": Array(repeating: "-", count: 11) + ["queued", "-", "-", "-", "-"],
    ]

    @Test(arguments: situations)
    func `every event makes of a job what the table says, or leaves it as it was`(
        situation: String
    ) throws {
        let row = try #require(Self.table[situation])
        for (event, expected) in zip(Self.events, row) {
            var job = makeJob(situation)
            let before = job
            do {
                try job.apply(event, at: now)
                #expect(job.state.rawValue == expected, "\(situation), \(event)")
            } catch {
                #expect(expected == "-", "\(situation), \(event)")
                #expect(job == before)
                #expect(error == illegal(event, before))
            }
        }
    }

    @Test(arguments: ["queued", "running", "writing", "called off"], [0, 1, 3])
    func `a report of another attempt changes nothing`(situation: String, attempt: Int) {
        let other = Attempt(rawValue: attempt)
        let events: [JobEvent] = [
            .started(other), .succeeded(other), .failed(other, permanent: false), .lost(other),
            .putBack(other), .brokenOff(other), .split(other, children: 2), .crowded(other),
        ]
        for event in events {
            var job = makeJob(situation)
            let before = job
            #expect(throws: IllegalTransition.self) { try job.apply(event, at: now) }
            #expect(job == before)
        }
    }

    @Test func `a failed job waits for its pause, and fails when it has had all its attempts`()
        throws
    {
        var job = Job(
            id: one,
            readyAt: now,
            retry: RetryPolicy(maxAttempts: 3, firstMs: 8, longestMs: 8)
        )
        for attempt in 1...3 {
            try job.apply(.failed(Attempt(rawValue: attempt), permanent: false), at: now)
            #expect(job.failures == attempt)
            #expect(job.state == (attempt < 3 ? .queued : .failed))
            if attempt < 3 { #expect((6...8).contains(job.readyAt.ms(since: now))) }
        }
        #expect(job.attempt == Attempt(rawValue: 3))
    }

    @Test func `the third loss is one too many, and losses do not count as failures`() throws {
        var job = Job(id: one, readyAt: now)
        for attempt in 1...3 {
            try job.apply(.lost(Attempt(rawValue: attempt)), at: now)
            #expect(job.losses == attempt)
            #expect(job.state == (attempt < 3 ? .queued : .failed))
        }
        #expect(job.failures == 0)
    }

    @Test func `a job that writes is queued once more after the third loss, to be looked at`()
        throws
    {
        var job = Job(id: one, readyAt: now, writes: true)
        for attempt in 1...4 {
            try job.apply(.lost(Attempt(rawValue: attempt)), at: now)
            #expect(job.state == (attempt < 4 ? .queued : .failed))
            let waiting = waiting(1, writes: "x", losses: attempt)
            #expect(Order(sequence: 1, job: waiting).phase == (attempt < 3 ? .run : .look))
        }
        #expect(Order(sequence: 1, job: waiting(1, losses: 3)).phase == .run)
    }

    @Test func `a run that was put back counts for nothing and keeps its date`() throws {
        var job = Job(id: one, readyAt: Timestamp(rawValue: 7))
        try job.apply(.started(two.previous), at: now)
        try job.apply(.putBack(two.previous), at: now)
        #expect(job.state == .queued)
        #expect(job.readyAt == Timestamp(rawValue: 7))
        #expect(job.failures == 0 && job.losses == 0)
    }

    @Test func `a divided job waits for all its children, then runs once more`() throws {
        var job = Job(id: one, readyAt: now)
        try job.apply(.split(two.previous, children: 2), at: now)
        #expect(job.isSplit && job.waitsFor == 2)
        #expect(throws: IllegalTransition.self) { try job.apply(.started(two), at: now) }
        try job.apply(.childSucceeded, at: now)
        try job.apply(.childSucceeded, at: now)
        #expect(job.waitsFor == 0)
        #expect(throws: IllegalTransition.self) { try job.apply(.split(two, children: 1), at: now) }
        try job.apply(.succeeded(two), at: now)
        #expect(job.state == .succeeded)
    }

    @Test func `a divided job is ready with its last child, though the clock was set back`() throws
    {
        var job = Job(id: one, readyAt: now)
        let earlier = now.adding(ms: -86_400_000)
        try job.apply(.split(two.previous, children: 1), at: now)
        try job.apply(.childSucceeded, at: earlier)
        #expect(job.readyAt == earlier)
    }

    @Test func `nothing is divided into no parts`() {
        var job = Job(id: one, readyAt: now)
        #expect(throws: IllegalTransition.self) {
            try job.apply(.split(two.previous, children: 0), at: now)
        }
    }

    @Test func `a retry counts attempts on and forgets failures, losses and parts`() throws {
        var job = makeJob("failed")
        let attempt = job.attempt
        try job.apply(.retry(waitingFor: 0), at: Timestamp(rawValue: 99))
        #expect(job.attempt == attempt)
        #expect(job.failures == 0 && job.losses == 0 && !job.isSplit)
        #expect(job.readyAt == Timestamp(rawValue: 99))
    }

    @Test func `a job that comes after others is ready with the last of them`() throws {
        var job = makeJob("blocked")
        for moment in [5, 7, 9] {
            #expect(throws: IllegalTransition.self) { try job.apply(.started(two), at: now) }
            let ended = JobEvent.predecessorEnded(submittedAt: now)
            try job.apply(ended, at: now.adding(ms: Int64(moment)))
        }
        #expect(job.waitsFor == 0)
        #expect(job.readyAt == now.adding(ms: 9))
        try job.apply(.started(two), at: now)
        #expect(job.state == .running)
    }

    @Test func `a moment that is still to come is waited for after the others`() throws {
        let later = now.adding(ms: 500)
        var standing = Job.Standing(readyAt: later)
        standing.waitsFor = 1
        var job = Job(id: one, standing: standing, writes: false, retry: .standard)
        try job.apply(.predecessorEnded(submittedAt: now), at: now.adding(ms: 5))
        #expect(job.readyAt == later)
    }

    @Test func `a job is ready with the last of the others, though the clock was set back`() throws
    {
        var standing = Job.Standing(readyAt: now)
        standing.waitsFor = 1
        var job = Job(id: one, standing: standing, writes: false, retry: .standard)
        let earlier = now.adding(ms: -86_400_000)
        try job.apply(.predecessorEnded(submittedAt: now), at: earlier)
        #expect(job.readyAt == earlier)
    }

    @Test func `a retry may wait for others again, but not for fewer than none`() throws {
        var job = makeJob("failed")
        #expect(throws: IllegalTransition.self) {
            try job.apply(.retry(waitingFor: -1), at: now)
        }
        try job.apply(.retry(waitingFor: 2), at: now)
        #expect(job.state == .queued && job.waitsFor == 2)
    }

    @Test(arguments: JobState.allCases, OnFailure.allCases)
    func `only an end without success stops another, and only one that shall not run`(
        state: JobState,
        policy: OnFailure
    ) {
        let isBad = state == .failed || state == .cancelled
        #expect(policy.stops(for: state) == (isBad && policy == .fail))
        let event = policy.event(atEnd: state, submittedAt: now)
        let goesOn = JobEvent.predecessorEnded(submittedAt: now)
        #expect(event == (isBad && policy == .fail ? .predecessorFailed : goesOn))
    }

    @Test func `a run that writes may win against its cancel`() throws {
        var job = makeJob("called off")
        try job.apply(.succeeded(two), at: now)
        #expect(job.state == .succeeded && !job.cancelRequested)
    }

    @Test(arguments: situations)
    func `what is written down makes the same job again`(situation: String) {
        let job = makeJob(situation)
        let copy = Job(id: job.id, standing: job.standing, writes: job.writes, retry: job.retry)
        #expect(copy == job)
    }

    private func illegal(_ event: JobEvent, _ job: Job) -> IllegalTransition {
        // A run that was believed to have begun is named with its attempt.
        IllegalTransition(state: job.state, attempt: job.attempt, event: event)
    }

    private func makeJob(_ situation: String) -> Job {
        var standing = Job.Standing(readyAt: now)
        standing.attempt = two.previous
        switch situation {
        case "waits": (standing.waitsFor, standing.isSplit) = (3, true)
        case "blocked": standing.waitsFor = 3
        case "running", "writing": (standing.state, standing.attempt) = (.running, two)
        case "called off":
            (standing.state, standing.attempt, standing.cancelRequested) = (.running, two, true)
        case "succeeded": standing.state = .succeeded
        case "failed": (standing.state, standing.failures, standing.losses) = (.failed, 3, 1)
        case "cancelled": standing.state = .cancelled
        default: break
        }
        let writes = situation == "writing" || situation == "called off"
        return Job(id: one, standing: standing, writes: writes, retry: .standard)
    }
}

private let one = JobID(rawValue: 1)
private let two = Attempt(rawValue: 2)
private let now = Timestamp(rawValue: 1_000)

extension Attempt {
    fileprivate var previous: Attempt { Attempt(rawValue: rawValue - 1) }
}

@Suite("Pauses between attempts") struct RetryPolicyTests {
    @Test func `pauses double up to the longest, less at most a quarter`() throws {
        let policy = RetryPolicy(maxAttempts: 100, firstMs: 1_000, longestMs: 60_000)
        for failures in 1..<100 {
            let whole = Int64(min(1_000 * (1 << min(failures - 1, 20)), 60_000))
            for job in Int64(1)...20 {
                let found = try #require(pause(policy, failures, job))
                #expect((whole - whole / 4...whole).contains(found))
                #expect(found == pause(policy, failures, job))
            }
        }
        #expect(pause(policy, 100, 1) == nil)
    }

    @Test func `jobs that failed together do not come back together`() {
        let policy = RetryPolicy(maxAttempts: 3, firstMs: 10_000, longestMs: 10_000)
        let pauses = Set((Int64(1)...100).compactMap { pause(policy, 1, $0) })
        #expect(pauses.count > 80)
    }

    @Test(arguments: [Int64.min, -1, 0, 1, 604_800_000, .max], [Int64.min, -1, 0, 1, .max])
    func `no value that can be written down overflows`(first: Int64, longest: Int64) throws {
        let policy = RetryPolicy(maxAttempts: .max, firstMs: first, longestMs: longest)
        for failures in [Int.min, -1, 0, 1, 2, 41, .max - 1] {
            for job in [Int64.min, 0, 1, .max] {
                let found = try #require(pause(policy, failures, job))
                #expect(longest < 0 || found <= longest)
            }
        }
    }

    private func pause(_ policy: RetryPolicy, _ failures: Int, _ job: Int64) -> Int64? {
        let attempt = Attempt(rawValue: max(0, failures))
        return policy.pause(afterFailures: failures, of: JobID(rawValue: job), attempt)
    }
}
