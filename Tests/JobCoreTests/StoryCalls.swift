import JobTesting

@testable import JobCore

/// Clients that call kernels by their names, and clients of Titanic.
extension StoryWorld {
    /// One of few calls, so that the same one is often under way: what makes calls the same is all
    /// that their jobs are.
    mutating func call() -> Request {
        let number = UInt8.random(in: 0..<4, using: &chance)
        var spec = Spec(kind: .compute, body: [100 + number], timeoutMs: 800)
        spec.queue = number < 3 ? .standard : QueueName(rawValue: "a") ?? .standard
        spec.sort = UInt64(number)
        spec.skill = number == 2 ? externals.kernels.first : nil
        spec.retry = RetryPolicy(maxAttempts: 2, firstMs: 40, longestMs: 100)
        let digest = CallDigest(high: 0, low: UInt64(number))
        return .call(Submission(spec: spec, fingerprint: UInt64(number)), digest)
    }

    /// A request, or a reply or close of some id that was given, or nearly.
    mutating func titanic() -> Request {
        let step = Int.random(in: 0..<3, using: &chance)
        guard step > 0, var id = anyTitanicID() else {
            var spec = Spec(kind: .compute, body: [99], timeoutMs: 800)
            spec.queue = anyQueue()
            spec.retry = RetryPolicy(maxAttempts: 2, firstMs: 40, longestMs: 100)
            spec.salt = .random(in: .min ... .max, using: &chance)
            return .titanicRequest(Submission(spec: spec, fingerprint: 0))
        }
        switch Int.random(in: 0..<8, using: &chance) {
        case 0: id.token ^= 1
        case 1: id.job = JobID(rawValue: Int64.random(in: 0...highestUsedID, using: &chance))
        default: break
        }
        return step == 1 ? .titanicReply(id) : .titanicClose(id)
    }

    private mutating func anyTitanicID() -> TitanicID? {
        ledger.titanicIDs.suffix(4).randomElement(using: &chance)
    }

    /// Whether the same call of the same owner is not answered yet.
    func isUnderWay(_ request: Request, of owner: Owner) -> Bool {
        guard case .call(_, let digest) = request else { return false }
        return ledger.open.values.contains { asking in
            guard case .call(_, digest) = asking.request else { return false }
            return asking.caller.peer.owner == owner
        }
    }

    // MARK: Answers

    func check(_ result: JobResult, of asking: StoryLedger.Asking) throws(Violation) {
        let id = result.end.id
        switch asking.request {
        case .call(let job, _):
            try check(ledger.specs[id] == job.spec, "a call is answered by a job of its own frames")
            let owner = asking.caller.peer.owner
            try check(ledger.owners[id] == owner, "a call is answered by a job of its own client")
            let isOld = asking.endedByThen.contains(id)
            try check(!isOld, "a call is answered by no job that had ended before")
        case .titanicReply(let known): try check(known, isThatOf: id)
        default: break
        }
    }

    mutating func check(_ id: TitanicID, _ asking: StoryLedger.Asking) throws(Violation) {
        guard case .titanicRequest(let job) = asking.request else {
            throw Violation(sentence: "only titanic.request gives ids")
        }
        let isHeard = ledger.heardAccepted.contains(id.job)
        try check(isHeard, "an id is given when its job is written")
        try check(ledger.owners[id.job] == asking.caller.peer.owner, "an id is its requester's")
        try check(ledger.specs[id.job] == job.spec, "an id is that of the job that was sent")
        try check(id, isThatOf: id.job)
        ledger.acknowledged.insert(id.job)
        ledger.titanicIDs.append(id)
    }

    func check(_ id: TitanicID, isThatOf job: JobID) throws(Violation) {
        try check(
            job == id.job && ledger.specs[job]?.titanicToken == id.token,
            "job \(job.rawValue) is known under its own id alone"
        )
    }

    /// Of a reply that is refused.
    func check(_ refusal: Refusal, of id: TitanicID) throws(Violation) {
        guard refusal.code == "unknown_job" || refusal.code == "expired" else { return }
        let isKnown = ledger.specs[id.job]?.titanicToken == id.token
        try check(!isKnown || ledger.deleted.contains(id.job), "a known id is not unknown")
    }

    /// To close takes the id, and not only the number in it.
    func checkClosing(_ targets: [Target], of asking: StoryLedger.Asking?) throws(Violation) {
        guard case .titanicClose(let id?)? = asking?.request else {
            throw Violation(sentence: "only titanic.close closes jobs")
        }
        for target in targets { try check(id, isThatOf: target.job) }
    }
}

extension Request {
    var isCall: Bool { if case .call = self { true } else { false } }
}
