import JobCore
import JobTesting
import Testing

@testable import JobRunner

/// What a start reads of the runs that the end of the process has interrupted.
@Suite("The ledger of runs") struct InFlightLedgerTests {
    private let order = Order(
        sequence: 1,
        job: Waiting(
            id: JobID(rawValue: 7),
            next: Attempt(rawValue: 1),
            readyAt: Timestamp(rawValue: 0),
            spec: Spec(kind: .sql, body: [], timeoutMs: 1_000)
        )
    )

    @Test func `a job that was not written is known again by its fingerprint`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/inflight"
        let now = Timestamp(rawValue: 1_700_000_000_000)
        let ledger = try InFlightLedger(path: path)
        ledger.begin(RunID(rawValue: 1))
        let slot = try #require(ledger.claim())
        var early = order
        early.unwritten = .max
        for order in [early, order] {
            ledger.enter(slot, order, at: now)
            let found = try InFlightLedger(path: path).inFlight(at: now)
            #expect(found.map(\.unwritten) == [order.unwritten])
            ledger.leave(slot)
        }
    }

    @Test func `an end that is known not to be the runs' doing is blamed on none`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/inflight"
        let now = Timestamp(rawValue: 1_700_000_000_000)
        func blamed() throws -> [InFlight.Blame] {
            try InFlightLedger(path: path).inFlight(at: now).map(\.blame)
        }
        let ledger = try InFlightLedger(path: path)
        for run in Int64(1)...2 {
            ledger.begin(RunID(rawValue: run))
            let slot = try #require(ledger.claim())
            ledger.enter(slot, order, at: now)
            #expect(try blamed() == [.suspected])
            ledger.forgive()
            #expect(try blamed() == [.none])
            ledger.release(slot)
        }
    }
}
