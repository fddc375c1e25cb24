import Testing

@testable import JobCore

@Suite("Parked waits") struct WaitsTests {
    private let ticket = Ticket(rawValue: 1)

    private func end(_ id: Int64) -> JobEnd {
        JobEnd(id: JobID(rawValue: id), state: .succeeded, attempt: .none.next, failure: nil)
    }

    private func wait(_ ids: [Int64], until deadline: Int64 = 100) -> Waits.Wait {
        Waits.Wait(
            caller: caller(),
            purpose: .ends,
            jobs: ids.map(JobID.init(rawValue:)),
            deadline: Timestamp(rawValue: deadline)
        )
    }

    @Test func `a wait is over when its last job has ended, and only once`() {
        var waits = Waits()
        waits.park(wait([1, 2, 1]), as: ticket)
        #expect(waits.ended(end(1)).isEmpty)
        #expect(waits.ended(end(1)).isEmpty)
        #expect(waits.ended(end(2)).map(\.jobs.count) == [3])
        #expect(waits.ended(end(2)).isEmpty)
        #expect(waits.count == 0 && waits.share(of: caller().account) == Waits.Share())
    }

    @Test func `a wait expires at its deadline with what has ended so far`() {
        var waits = Waits()
        waits.park(wait([1, 2]), as: ticket)
        _ = waits.ended(end(2))
        #expect(waits.nextDeadline == Timestamp(rawValue: 100))
        #expect(waits.expired(at: Timestamp(rawValue: 99)).isEmpty)
        #expect(waits.expired(at: Timestamp(rawValue: 100)).map(\.ends.count) == [1])
        #expect(waits.nextDeadline == nil)
        #expect(!waits.isAwaited(JobID(rawValue: 1)))
    }

    @Test func `a wait does not expire before it was looked what had ended`() {
        var waits = Waits()
        var looking = wait([1])
        looking.isLooking = true
        waits.park(looking, as: ticket)
        #expect(waits.nextDeadline == nil)
        #expect(waits.expired(at: Timestamp(rawValue: 500)).isEmpty)
        waits.hasLooked(ticket)
        #expect(waits.expired(at: Timestamp(rawValue: 500)).count == 1)
    }
}
