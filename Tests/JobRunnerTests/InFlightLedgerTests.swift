import JobCore
import JobTesting
import Testing

@testable import JobRunner

/// What a start reads of the runs that the end of the process has interrupted.
@Suite("The ledger of runs") struct InFlightLedgerTests {
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
            ledger.enter(slot, JobID(rawValue: 7), Attempt(rawValue: 1), at: now)
            #expect(try blamed() == [.suspected])
            ledger.forgive()
            #expect(try blamed() == [.none])
            ledger.release(slot)
        }
    }
}
