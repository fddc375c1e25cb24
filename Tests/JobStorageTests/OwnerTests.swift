import JobCore
import Testing

/// What a store knows about whose a job is.
@Suite("Owners in a store") struct OwnerTests {
    private let ada = Owner(rawValue: "ada")

    private func insert(
        _ jobs: [Submission],
        of owner: Owner,
        _ store: StoreUnderTest
    ) throws -> [Accepted] {
        var insertion = store.insertion(jobs)
        insertion.owner = owner
        guard case .inserted(_, let accepted, _)? = try store.commit(.insert(insertion)).first
        else {
            return []
        }
        return accepted
    }

    @Test(arguments: Kind.allCases)
    func `a key is each owner's own`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let local = try insert([makeJob(key: "k")], of: .local, store)
        let first = try insert([makeJob(key: "k", fingerprint: 2)], of: ada, store)
        #expect((local + first).map(\.created) == [true, true])
        let again = try insert([makeJob(key: "k", fingerprint: 2)], of: ada, store)
        #expect(again.map(\.id) == first.map(\.id))
        #expect(again.map(\.created) == [false])
        #expect(try insert([makeJob(key: "k", fingerprint: 3)], of: ada, store).isEmpty)
        let third = try insert([makeJob(key: "k")], of: Owner(rawValue: "Ada"), store)
        #expect(third.map(\.created) == [true])
    }

    @Test(arguments: Kind.allCases)
    func `a job tells its owner, and so do its parts`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let parent = try insert([makeJob(makeSpec(parts: 2))], of: ada, store)[0].id
        let local = try store.insert(makeJob())[0]
        let report = makeReport(parent, 1, .split([Part(body: [1]), Part(body: [2])]))
        let ids = store.ids(2)
        _ = try store.commit(.split(report, parts: [Part(body: [1]), Part(body: [2])], ids: ids))
        let child = JobID(rawValue: ids.lowerBound)
        let unknown = JobID(rawValue: 99)
        #expect(try store.details(parent).owner == ada)
        #expect(try store.details(local).owner == .local)
        #expect(
            try store.ask(.owners([parent, local, child, unknown]))
                == .owners([ada, .local, ada, nil], isIssued: [true, true, true, false])
        )
    }

    @Test(arguments: Kind.allCases)
    func `jobs can be chosen and listed by owner`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let own = try insert([makeJob(), makeJob(makeSpec(queue: late))], of: ada, store).map(\.id)
        let other = try store.insert(makeJob(), makeJob())
        _ = try store.commit(.cancel([Target(own[0]), Target(other[0])], store.ticket()))
        func chosen(_ filter: JobFilter) throws -> [JobID] {
            guard
                case .selected(let jobs, _) = try store.ask(.select(filter, after: nil, limit: 9)),
                case .listed(let listed, _) = try store.ask(.list(filter, after: nil, limit: 9))
            else { throw StoreUnderTest.Missing() }
            #expect(listed.map(\.job.id) == jobs.reversed())
            return jobs
        }
        #expect(try chosen(JobFilter(owner: ada)) == own)
        #expect(try chosen(JobFilter(state: .cancelled, owner: ada)) == [own[0]])
        #expect(try chosen(JobFilter(queue: late, owner: ada)) == [own[1]])
        #expect(try chosen(JobFilter(owner: .local)) == other)
        #expect(try chosen(JobFilter(owner: Owner(rawValue: "bob"))) == [])
        #expect(try chosen(JobFilter(state: .cancelled)) == [own[0], other[0]])
    }
}
