import JobCore
import Testing

@testable import JobRunner

/// What workers say to the broker, and where they leave it.
@Suite struct WorkerLinkTests {
    private func report(_ worker: Int, bytes: [UInt8] = []) -> Report {
        Report(
            job: JobID(rawValue: 1),
            attempt: Attempt(rawValue: 1),
            worker: WorkerID(rawValue: worker),
            ending: .succeeded(Outcome(format: .bytes, bytes: bytes)),
            startedAt: Timestamp(rawValue: 0),
            durationMicros: 0
        )
    }

    @Test func `reports are read once, and their results are not copied`() {
        let shelf = ReportShelf()
        let result = [UInt8](repeating: 7, count: 1 << 20)
        let said = WorkerLink.frames(for: [report(3, bytes: result)], on: shelf)
        let heard = [WorkerLink.address(of: WorkerID(rawValue: 3))] + said
        guard case .reported(let reports) = WorkerLink.event(heard, from: shelf),
            case .succeeded(let outcome) = reports.first?.ending
        else {
            Issue.record("nothing was heard")
            return
        }
        let places = [result, outcome.bytes].map { $0.withUnsafeBytes(\.baseAddress) }
        #expect(places[0] == places[1])
        #expect(WorkerLink.event(heard, from: shelf) == nil)
    }

    @Test func `a worker is ready, and reports for nobody else`() {
        let shelf = ReportShelf()
        let address = WorkerLink.address(of: WorkerID(rawValue: 3))
        #expect(WorkerLink.event([address, []], from: shelf) == .ready(WorkerID(rawValue: 3)))
        let ofAnother = WorkerLink.frames(for: [report(4)], on: shelf)
        #expect(WorkerLink.event([address] + ofAnother, from: shelf) == nil)
        for frames in [[address], [address, [1]], [[], []], [], [address, [], []]] {
            #expect(WorkerLink.event(frames, from: shelf) == nil)
        }
    }
}
