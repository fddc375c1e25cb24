import JobTesting

@testable import JobCore

/// Who the clients of a story are, what they may do, and how much of what all share.
extension StoryWorld {
    /// In every other world clients show keys: two of them the same, and one may change all.
    static func peers(using chance: inout SeededGenerator) -> [Peer] {
        guard Bool.random(using: &chance) else { return Array(repeating: .local, count: 4) }
        let ann = Peer(owner: Owner(rawValue: "ann"), role: .submit)
        let role: Role = Bool.random(using: &chance) ? .admin : .submit
        return [.local, ann, ann, Peer(owner: Owner(rawValue: "bob"), role: role)]
    }

    func caller(_ client: Int, _ request: String) -> Caller {
        Caller(
            client: ClientID(rawValue: [UInt8(client)]),
            service: [1],
            request: request,
            peer: peers[client]
        )
    }

    /// What only an administrator gets past the door.
    func isForAdmin(_ request: Request) -> Bool {
        switch request {
        case .pauseQueue, .resumeQueue, .drain: true
        default: false
        }
    }

    // MARK: Rights

    func checkRight(of caller: Caller, to change: Change) throws(Violation) {
        let owner = caller.peer.owner
        let jobs: [JobID]
        switch change {
        case .insert(let insertion):
            return try check(insertion.owner == owner, "a job belongs to who submits it")
        case .cancel(let targets, _), .close(let targets, _): jobs = targets.map(\.job)
        case .retry(let ids, _), .delete(let ids, _): jobs = ids
        default: return
        }
        guard caller.peer.role < .admin else { return }
        for job in jobs {
            try check(
                ledger.owners[job] ?? owner == owner,
                "\(owner.rawValue) does not touch job \(job.rawValue)"
            )
        }
    }

    // MARK: Shares

    /// Requests of one client that are not answered.
    func open(of account: Account) -> [StoryLedger.Asking] {
        ledger.open.values.filter { $0.caller.account == account }
    }

    /// Who is told to have used up its share has done so.
    mutating func checkQuota(_ refusal: Refusal, _ asking: StoryLedger.Asking) throws(Violation) {
        let caller = asking.caller
        // A job that was accepted before and is gone has been paid for.
        if refusal.code != "expired" { payBack(caller) }
        let others = open(of: caller.account)
        switch refusal.code {
        case "forbidden":
            let isForeign = asking.request.jobs.contains {
                ledger.owners[$0].map { $0 != caller.peer.owner } ?? false
            }
            try check(isForeign && caller.peer.role < .admin, "only what is others' is forbidden")
        case "too_many_requests":
            let isFull = others.count >= limits.requestsPerClient
            try check(isFull, "a client may have \(limits.requestsPerClient) requests open")
        case "too_many_waits":
            let jobs = others.reduce(asking.request.waitsFor) { $0 + $1.request.waitsFor }
            let waits = others.count { $0.request.waitsFor > 0 }
            let all = ledger.open.values.count { $0.request.waitsFor > 0 }
            try check(
                waits >= limits.waitsPerClient || jobs > limits.awaitedJobsPerClient
                    || all >= limits.waits,
                "a client may wait \(limits.waitsPerClient) times"
            )
        case "too_many_calls":
            let calls = ledger.open.values.count { $0.request.isCall }
            try check(calls >= limits.calls, "\(limits.calls) calls may wait")
        case "too_many_jobs":
            try check(hasSpentAll(caller.account), "what was refused is not counted")
        default: break
        }
    }

    /// A client has just asked.
    mutating func checkShare(of caller: Caller, _ request: Request) throws(Violation) {
        let account = caller.account
        try check(
            open(of: account).count <= limits.requestsPerClient,
            "requests of one client are bounded"
        )
        guard let name = caller.request, let asking = ledger.open[name] else { return }
        let jobs = asking.isJoined ? 0 : request.newJobs
        guard jobs > 0 else { return }
        let payment = StoryLedger.Payment(request: name, jobs: jobs, at: now)
        ledger.paid[account, default: []].append(payment)
        try checkRate(of: account)
    }

    private mutating func payBack(_ caller: Caller) {
        for place in ledger.paid[caller.account, default: []].indices
        where ledger.paid[caller.account]?[place].request == caller.request {
            ledger.paid[caller.account]?[place].backAt = now
        }
    }

    /// A second's worth at once, the last batch whole, and what is given back.
    private func checkRate(of account: Account) throws(Violation) {
        let rate = limits.jobsPerSecondPerClient
        guard rate > 0 else { return }
        let paid = ledger.paid[account, default: []]
        for (place, first) in paid.enumerated() {
            let spent = paid[place...].reduce(0) { $0 + ($1.backAt == nil ? $1.jobs : 0) }
            let back = paid[..<place].reduce(0) {
                $0 + ($1.backAt.map { $0 >= first.at } == true ? $1.jobs : 0)
            }
            let earned = rate * (1_000 + now.ms(since: first.at)) / 1_000
            try check(
                Int64(spent - back) <= earned + Self.batch,
                "jobs a second are bounded"
            )
        }
    }

    /// Whether the client has submitted as many jobs as it may, from some moment until now.
    private func hasSpentAll(_ account: Account) -> Bool {
        var jobs: Int64 = 0
        for payment in ledger.paid[account, default: []].reversed() where payment.backAt == nil {
            jobs += Int64(payment.jobs)
            let earned = limits.jobsPerSecondPerClient * (1_000 + now.ms(since: payment.at))
            if jobs * 1_000 >= earned { return true }
        }
        return false
    }

    /// Jobs in one submission.
    static let batch: Int64 = 3

    func checkWaits() throws(Violation) {
        try check(dispatcher.waits.count <= limits.waits, "waits are bounded")
        for client in peers.indices {
            let share = dispatcher.waits.share(of: caller(client, "").account)
            try check(
                share.waits <= limits.waitsPerClient && share.jobs <= limits.awaitedJobsPerClient,
                "waits of one client are bounded"
            )
        }
    }
}

extension Request {
    /// Jobs that it names.
    fileprivate var jobs: [JobID] {
        switch self {
        case .titanicClose(let id?): [id.job]
        case .cancel(.ids(let jobs)), .retry(.ids(let jobs)), .delete(.ids(let jobs)): jobs
        default: []
        }
    }

    /// Jobs that it makes when it is not refused.
    fileprivate var newJobs: Int {
        switch self {
        case .submit(let jobs, _, _): jobs.count
        case .call, .titanicRequest: 1
        default: 0
        }
    }

    /// Jobs that it may be parked for.
    fileprivate var waitsFor: Int {
        switch self {
        case .wait(let jobs, _): jobs.count
        case .result(_, _, let ms?) where ms > 0: 1
        case .submit(_, _, let ms?) where ms > 0: 1
        default: 0
        }
    }
}
