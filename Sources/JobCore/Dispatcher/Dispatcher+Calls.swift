// What the dispatcher does for the clients that Majordomo and Titanic have: direct calls of
// kernels, and jobs under an id that cannot be guessed.

extension Dispatcher {
    // MARK: Direct calls

    /// A call is a job that is answered with its result alone, however long that takes.
    mutating func call(
        _ job: Submission,
        _ digest: CallDigest,
        _ caller: Caller,
        at now: Timestamp
    ) {
        guard calls.count < plan.limits.calls else {
            return say(.refused(.tooManyCalls), to: caller)
        }
        let key = Calls.Key(owner: caller.peer.owner, digest: digest)
        let isUnderWay = calls.isUnderWay(key)
        guard isUnderWay || charge(1, to: caller, at: now) else { return }
        calls.join(key, caller)
        if !isUnderWay { submit(.call(key, job), at: now) }
    }

    /// Tells some callers how their job has ended. Any number may have joined it, and a round shall
    /// not take long: the others have their turn in the next one, at once.
    mutating func answerCalls(all: Bool = false) {
        var most = all ? Int.max : plan.answersARound
        while most > 0, let next = calls.nextAnswer(most) {
            most -= next.callers.count
            for caller in next.callers { answer(caller, with: next.end) }
        }
    }

    /// No job has come of the call.
    mutating func refuse(_ call: Calls.Key, _ refusal: Refusal) {
        let callers = calls.remove(call)
        if let first = callers.first { quotas.refund(1, to: first.account) }
        for caller in callers { say(.refused(refusal), to: caller) }
    }

    // MARK: Titanic

    mutating func close(_ id: TitanicID?, _ caller: Caller) {
        guard let id else { return say(.count(0), to: caller) }
        let campaign = Campaign(verb: .close, caller: caller)
        ask(.titanicOwner(id), for: .owners(campaign, [id.job]))
    }
}

extension Refusal {
    fileprivate static let tooManyCalls: Refusal = {
        var refusal = Refusal(
            429,
            "too_many_calls",
            "As many direct calls wait for their jobs as may.",
            hint: "Send the same again later, or submit jobs and ask for their results."
        )
        refusal.retryAfterMs = 1_000
        return refusal
    }()
}
