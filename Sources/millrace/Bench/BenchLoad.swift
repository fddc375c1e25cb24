internal import JobWire

/// Has a runner do jobs, and looks whether it did.
struct BenchLoad {
    let target: BenchTarget
    let plan: BenchPlan

    /// Submissions of many jobs that are under way on each connection: enough for the next ones to
    /// be there when a commit has ended.
    private static let batchWindow = 4
    /// Jobs one a message that are under way on each connection.
    private static let singleWindow = 1_000
    /// One result in a hundred is read back.
    private static let checkedShare = 100

    /// What a submission came to.
    struct Submitted {
        let seconds: Double
        let startedAt: UInt64
        /// Processor time of the bench until then, in seconds.
        fileprivate let clientCPU: Double
        /// Replies as they came: nobody reads them while jobs still run.
        fileprivate let heads: [[UInt8]]

        /// The ids of jobs by their numbers.
        func ids() throws -> [(number: Int, id: Int64)] {
            try heads.flatMap { head in
                let (first, ids) = try BenchJobs.ids(head)
                return ids.enumerated().map { (first + $0.offset, $0.element) }
            }
        }
    }

    /// What all of it came to.
    struct Ended {
        let perSecond: Double
        /// Of the results that were read, in bytes.
        let meanBytes: Double
        /// Processor time for each job, in µs; the runner's is unknown when it is not ours.
        let clientMicros: Double
        let runnerMicros: Double?
    }

    /// From the first byte sent until all jobs have succeeded; then some results are read back.
    ///
    /// - Parameters:
    ///   - jobs: What they are and come to.
    ///   - batch: Jobs in one message; nil for one a message, without a list around it.
    /// - Returns: How fast that was, and at what cost.
    /// - Throws: When a result is wrong, or jobs do not succeed.
    func endToEnd(_ jobs: BenchJobs, batch: Int?) throws -> Ended {
        var jobs = jobs
        jobs.terms += target.terms
        let line = try target.line()
        let before = try target.count("succeeded", by: line)
        let runner = target.process.map { ProcessUse(of: $0.processes) }
        let submitted = try submit(jobs, batch: batch)
        try target.waitUntil(before + jobs.count, by: line)
        let time = seconds(since: submitted.startedAt)
        let client = clientCPUSeconds() - submitted.clientCPU
        let used = target.process.map { ProcessUse(of: $0.processes).cpuSeconds }
        let count = Double(jobs.count)
        return Ended(
            perSecond: count / time,
            meanBytes: try check(jobs, submitted.ids()),
            clientMicros: client / count * 1e6,
            runnerMicros: used.map { ($0 - (runner?.cpuSeconds ?? 0)) / count * 1e6 }
        )
    }

    /// Submits all of them; the replies come when they are safe on the disk.
    func submit(_ jobs: BenchJobs, batch: Int?) throws -> Submitted {
        let size = batch ?? 1
        let messages = stride(from: 0, to: jobs.count, by: size).map { first in
            batch == nil
                ? jobs.single(first) : jobs.batch(first..<min(first + size, jobs.count))
        }
        let window = batch == nil ? Self.singleWindow : Self.batchWindow
        let pipeline = try target.pipeline(plan.clients, window: window)
        // Connected before the clock runs.
        for line in pipeline.lines { _ = try line.ask("sys.ping") }
        var heads: [[UInt8]] = []
        var random = SeededNumbers(seed: 1)
        let cpu = clientCPUSeconds()
        let start = nanoseconds()
        try pipeline.run(messages.count, message: { messages[$0] }) { reply, _ in
            let isKept = batch != nil || random.below(Self.checkedShare) == 0
            if isKept || heads.isEmpty { heads.append(reply.head) }
        }
        let time = seconds(since: start)
        return Submitted(seconds: time, startedAt: start, clientCPU: cpu, heads: heads)
    }

    /// Reads a random share of the results back and compares them.
    ///
    /// - Returns: Their mean size, in bytes.
    private func check(_ jobs: BenchJobs, _ ids: [(number: Int, id: Int64)]) throws -> Double {
        let wanted = max(jobs.count / Self.checkedShare, 1)
        var random = SeededNumbers(seed: 2)
        let chosen = (0..<wanted).map { _ in ids[random.below(ids.count)] }
        let numbers = Dictionary(chosen.map { ($0.id, $0.number) }) { first, _ in first }
        let pipeline = try target.pipeline(1, window: 8)
        var bytes = 0
        try pipeline.run(
            chosen.count,
            message: { place in
                let body = #"{"id":\#(chosen[place].id),"wait_ms":10000}"#
                return BenchLine.message("job.result", Array(body.utf8))
            },
            heard: { reply, _ in
                guard let result = reply.result, let id = try reply.json["id"]?.integerValue,
                    let number = numbers[id], jobs.isRight(number, result)
                else {
                    let head = String(decoding: reply.head, as: UTF8.self)
                    throw BenchError.wrong("the result of a job differs: \(head)")
                }
                bytes += result.count
            }
        )
        return Double(bytes) / Double(wanted)
    }

    /// Puts so many jobs into a queue that is paused.
    func fill(_ queue: String, with count: Int, of job: String) throws {
        _ = try target.line().ask("queue.pause", ["queue": .string(queue)])
        let jobs = BenchJobs(
            count: count,
            members: { _ in job + #","queue":"\#(queue)""# },
            isRight: { _, _ in true }
        )
        let size = 5_000
        let pipeline = try target.pipeline(1, window: Self.batchWindow)
        try pipeline.run(
            (count + size - 1) / size,
            message: { jobs.batch($0 * size..<min($0 * size + size, count)) },
            heard: { _, _ in }
        )
    }
}

/// Numbers by chance that are the same in every bench.
///
/// Source: SplitMix64, as in Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
/// OOPSLA 2014.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
}
