import Testing

@testable import JobCore

/// Whose jobs a client may change.
@Suite("Owners of jobs") struct OwnerTests {
    private let jobs = [1, 2, 3].map { JobID(rawValue: $0) }
    private let ada = Owner(rawValue: "ada")

    private func caller(_ role: Role) -> Caller {
        Caller(
            client: ClientID(rawValue: [7]),
            service: [],
            peer: Peer(owner: ada, role: role)
        )
    }

    private func refusal(_ decisions: Decisions) -> Refusal? {
        guard case .refused(let refusal)? = decisions.messages.first?.reply else { return nil }
        return refusal
    }

    @Test func `a new job belongs to who submitted it`() {
        var stage = Stage()
        let request = Request.submit([makeSubmission()], isBatch: false, waitMs: nil)
        for (caller, owner) in [(caller(.submit), ada), (JobCoreTests.caller(), .local)] {
            guard
                case .insert(let insertion)? = stage.hear(.asked(request, by: caller)).changes.first
            else {
                Issue.record("nothing is inserted")
                return
            }
            #expect(insertion.owner == owner)
        }
    }

    @Test func `an administrator changes jobs at once, others after a look at their owners`() {
        var stage = Stage()
        for request in [
            Request.cancel(.ids(jobs)), .retry(.ids(jobs)), .delete(.ids(jobs)),
        ] {
            #expect(stage.hear(.asked(request, by: caller(.admin))).changes.count == 1)
            let asked = stage.hear(.asked(request, by: caller(.submit)))
            #expect(asked.changes.isEmpty)
            #expect(asked.queries.map(\.query) == [.owners(jobs)])
            guard let ticket = asked.queries.first?.ticket else { return }
            let owners: Answer = .owners([ada, ada, ada], isIssued: [true, true, true])
            #expect(stage.hear(.answered(ticket, owners)).changes.count == 1)
        }
    }

    private func outcome(_ owners: [Owner?], _ isIssued: [Bool]) -> Decisions {
        var stage = Stage()
        let asked = stage.hear(.asked(.cancel(.ids(jobs)), by: caller(.submit)))
        guard let ticket = asked.queries.first?.ticket else { return asked }
        return stage.hear(.answered(ticket, .owners(owners, isIssued: isIssued)))
    }

    @Test func `with one job of somebody else's nothing happens to any`() {
        for other in [Owner.local, Owner(rawValue: "bob"), Owner(rawValue: "ADA")] {
            let decisions = outcome([ada, other, nil], [true, true, true])
            #expect(decisions.changes.isEmpty)
            #expect(refusal(decisions)?.status == 403)
            #expect(refusal(decisions)?.code == "forbidden")
            #expect(refusal(decisions)?.message.hasPrefix("Job 2 belongs to somebody else") == true)
        }
    }

    /// A number may be guessed before its job is there: what is not one's own yet is left alone.
    @Test func `jobs that are not kept are left out, and told when there are no others`() {
        guard
            case .cancel(let targets, _)? = outcome([ada, nil, nil], [true, true, false])
                .changes.first
        else {
            Issue.record("nothing is cancelled")
            return
        }
        #expect(targets.map(\.job) == [jobs[0]])
        #expect(refusal(outcome([nil, nil, nil], [true, false, false]))?.status == 410)
        #expect(refusal(outcome([nil, nil, nil], [false, true, true]))?.status == 404)
        let unreadable = Refusal(500, "unreadable", "The store cannot be read.")
        var stage = Stage()
        let asked = stage.hear(.asked(.retry(.ids(jobs)), by: caller(.submit)))
        guard let ticket = asked.queries.first?.ticket else { return }
        #expect(refusal(stage.hear(.answered(ticket, .unreadable(unreadable)))) == unreadable)
    }

    @Test func `a filter means one's own jobs, unless one may change all`() {
        var stage = Stage()
        let filter = JobFilter(state: .queued)
        for (role, owner) in [(Role.submit, ada), (.admin, nil)] {
            let asked = stage.hear(.asked(.cancel(.filter(filter)), by: caller(role)))
            guard case .select(let meant, _, _)? = asked.queries.first?.query else {
                Issue.record("nothing is selected")
                return
            }
            #expect(meant == JobFilter(state: .queued, owner: owner))
        }
    }
}
