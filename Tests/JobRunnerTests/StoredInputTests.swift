import JobCore
import JobTesting
import Testing

@testable import JobRunner

/// What a worker fetches from the store for a job that it is about to run.
@Suite struct StoredInputTests {
    /// There is no store, so whatever is fetched is a failure.
    private func fill(_ phase: Order.Phase) throws -> Order {
        let directory = try TemporaryDirectory()
        var order = writeOrder(phase: phase)
        order.framesAreStored = true
        order.sources = [Source(JobID(rawValue: 3))]
        let input = StoredInput(path: directory.path + "/none.db", Limits())
        return try input.fill(order, KernelRun())
    }

    @Test func `who only looks for what was done needs nothing of the store`() throws {
        for phase in [Order.Phase.look, .bury] {
            #expect(throws: Never.self, "\(phase)") { try fill(phase) }
        }
    }

    @Test func `a run without what it takes fails, and another may be tried`() throws {
        let failure = try #require(throws: Failure.self) { try fill(.run) }
        #expect(failure.code == .damaged)
        #expect(!failure.isPermanent)
    }
}
