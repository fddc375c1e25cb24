import Testing

@testable import JobCore

@Suite("Workers and what is known of them") struct CrewTests {
    private let first = WorkerID(rawValue: 1)
    private let second = WorkerID(rawValue: 2)

    private func seat(_ worker: WorkerID) -> Crew.Seat { Crew.Seat(worker: worker) }

    private func makeCrew() -> Crew {
        var crew = Crew(workers: 2)
        crew.join(first)
        crew.join(second)
        return crew
    }

    @Test func `an idle worker is preferred, then the one with the least to do`() {
        var crew = makeCrew()
        #expect(crew.mostFree()?.worker == first)
        _ = crew.give(waiting(1), to: seat(first), Crew.Guess(micros: 1))
        #expect(crew.mostFree()?.worker == second)
        _ = crew.give(waiting(2), to: seat(second), Crew.Guess(micros: 1))
        #expect(crew.mostFree()?.worker == first)
    }

    @Test func `nothing is put behind a job of unknown length, or more than the credit allows`() {
        var crew = makeCrew()
        _ = crew.give(waiting(1), to: seat(first), Crew.Guess())
        _ = crew.give(waiting(2), to: seat(second), Crew.Guess(micros: Crew.creditMicros))
        #expect(crew.mostFree() == nil)
        var short = Crew(workers: 1)
        short.join(first)
        for id in 1...Int64(Crew.creditOrders) {
            #expect(short.mostFree()?.worker == first)
            _ = short.give(waiting(id), to: seat(first), Crew.Guess(micros: 0))
        }
        #expect(short.mostFree() == nil)
    }

    @Test func `orders count from one, and a report ends its own order alone`() {
        var crew = makeCrew()
        let sequences = (1...3).map {
            crew.give(waiting($0), to: seat(first), Crew.Guess(micros: 1))
        }
        #expect(sequences == [1, 2, 3])
        let attempt = Attempt(rawValue: 1)
        let job = crew.finish(first, JobID(rawValue: 2), attempt)?.job
        #expect(job?.id.rawValue == 2)
        #expect(crew.finish(first, JobID(rawValue: 2), attempt) == nil)
        #expect(crew.finish(second, JobID(rawValue: 1), attempt) == nil)
        #expect(crew.finish(first, JobID(rawValue: 1), attempt.next) == nil)
        #expect(crew[first]?.orders.map(\.sequence) == [1, 3])
    }

    @Test func `after orders were taken back nothing is put behind the one that runs`() {
        var crew = makeCrew()
        for id in Int64(1)...3 {
            _ = crew.give(waiting(id), to: seat(first), Crew.Guess(micros: 1))
        }
        let back = crew.takeBack(from: first, 2..<4)
        #expect(back.map(\.job.id.rawValue) == [2, 3])
        _ = crew.give(waiting(4), to: seat(second), Crew.Guess())
        #expect(crew.mostFree() == nil)
    }

    @Test func `who has left has nothing and gets nothing`() {
        var crew = makeCrew()
        _ = crew.give(waiting(1), to: seat(first), Crew.Guess(micros: 1))
        let left = crew.leave(first)
        #expect(left?.orders.count == 1)
        #expect(crew.isIdle)
        #expect(crew.holder(of: JobID(rawValue: 1), Attempt(rawValue: 1)) == nil)
        #expect(crew.give(waiting(1), to: seat(first), Crew.Guess(micros: 1)) == 0)
    }

    @Test func `a guess follows longer runs at once and shorter ones slowly`() {
        var pace = Pace()
        #expect(pace.expectedMicros(1) == nil)
        pace.learn(1, micros: 100)
        pace.learn(1, micros: 200)
        #expect(pace.expectedMicros(1) == 125)
        pace.learn(1, micros: 1_000)
        #expect(pace.expectedMicros(1) == 1_000)
        for sort in 2...UInt64(Pace.sortsMax) + 1 { pace.learn(sort, micros: 1) }
        #expect(pace.expectedMicros(1) == nil)
    }

    @Test func `the meter counts the last minute and no more`() {
        var meter = Meter()
        let start = Timestamp(rawValue: 1_000_000)
        let order = Order(sequence: 1, job: waiting(1))
        for _ in 0..<60 { meter.count(makeReport(order), readyAt: start, at: start) }
        #expect(meter.perSecond(at: start) == 1)
        #expect(meter.perSecond(at: start.adding(ms: 59_000)) == 1)
        #expect(meter.perSecond(at: start.adding(ms: 60_000)) == 0)
        #expect(meter.running.p50 == 0.01)
        #expect(Meter().waiting == Percentiles())
    }
}
