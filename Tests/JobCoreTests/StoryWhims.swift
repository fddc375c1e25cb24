import JobTesting

@testable import JobCore

/// What clients take into their heads just when it is most awkward, and threads that stall then.
struct StoryWhims {
    /// Asked for next, in this order.
    var requests: [Request] = []
    /// Steps for which nothing of it is heard.
    var factsStall = 0
    var whispersStall = 0
    var answersStall = 0
    /// Workers that do nothing for so many steps.
    var idleWorkers: [WorkerID: Int] = [:]
    /// Workers whose runs last, while all others do what they can.
    var lasting: Set<WorkerID> = []
    /// Jobs that could start beside an idle worker, and for how many rounds in a row.
    var overlooked: [JobID: Int] = [:]
    /// Runs that had begun by the last round.
    var begun = 0

    mutating func stepPasses() {
        factsStall = max(0, factsStall - 1)
        whispersStall = max(0, whispersStall - 1)
        answersStall = max(0, answersStall - 1)
        idleWorkers = idleWorkers.filter { $0.value > 1 }.mapValues { $0 - 1 }
    }

    /// A whim goes before what a client would have asked for.
    mutating func replacement(
        of request: Request,
        using chance: inout SeededGenerator
    ) -> Request {
        guard !requests.isEmpty, Int.random(in: 0..<3, using: &chance) > 0 else { return request }
        return requests.removeFirst()
    }
}

extension StoryWorld {
    /// While a job is taken back from one worker a client calls it off, and thinks better of it, so
    /// that another worker may have it.
    mutating func comeBetween(_ job: JobID) {
        favourite = job
        guard weather.faults, Int.random(in: 0..<3, using: &chance) == 0 else { return }
        whims.requests = [.cancel(.ids([job])), .retry(.ids([job]))]
        whims.whispersStall = Int.random(in: 0...80, using: &chance)
    }

    /// A run is called off, and before its worker says so a client has the job run again.
    mutating func comeAfter(_ run: Run, with worker: WorkerID) {
        guard weather.faults, Int.random(in: 0..<4, using: &chance) == 0 else { return }
        whims.requests = [.retry(.ids([run.job]))]
        whims.idleWorkers[worker] = Int.random(in: 0...150, using: &chance)
    }

    /// While the parts of a job are read for its last run a client calls it off.
    mutating func comeBeforeTheLast(_ queries: [Decisions.Asked]) {
        for case .gather(let job) in queries.map(\.query) {
            guard weather.faults, Int.random(in: 0..<6, using: &chance) == 0 else { continue }
            whims.requests = [.cancel(.ids([job]))]
            whims.answersStall = Int.random(in: 0...60, using: &chance)
        }
    }

    /// Now and then a part's result turns out to be damaged: the job is lost, and nobody else.
    mutating func damaged(_ query: Query) -> Answer? {
        guard case .gather(let job) = query, Int.random(in: 0..<6, using: &chance) == 0 else {
            return nil
        }
        ledger.spoilt.insert(job)
        return .partDamaged(job, part: 1)
    }

    /// A job has ended, and before the runner hears of it a client has it run again.
    mutating func wantBack(_ job: JobID) {
        guard weather.faults, Int.random(in: 0..<6, using: &chance) == 0 else { return }
        whims.requests.append(.retry(.ids([job])))
        whims.factsStall = Int.random(in: 0...40, using: &chance)
    }
}
