import JobCore
import Testing

@testable import JobStorage

/// In which order one commit tells of jobs that come after others.
@Suite("The order of what is told of jobs after jobs") struct DependencyOrderTests {
    @Test(arguments: Kind.allCases)
    func `an end that comes with its insert is told before what comes after it may start`(
        kind: Kind
    ) throws {
        let store = try StoreUnderTest(kind)
        let first = store.insertion([makeJob()])
        let job = JobID(rawValue: first.ids.lowerBound)
        var other = makeJob()
        other.after = [Predecessor(.job(job))]
        let second = store.insertion([other])
        let facts = try store.commit(
            .insert(first),
            .insert(second),
            .settle(makeReport(job, 1, success()))
        )
        let told = facts.compactMap { fact in
            switch fact {
            case .ended(let ended): "ended \(ended.end.id.rawValue)"
            case .queued(let waiting): "queued \(waiting.id.rawValue)"
            default: nil
            }
        }
        #expect(told == ["ended 1", "queued 2"])
    }
}
