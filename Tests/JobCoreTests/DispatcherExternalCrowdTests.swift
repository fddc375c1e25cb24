import Testing

@testable import JobCore

/// External workers that come and go together.
@Suite("Many external workers") struct DispatcherExternalCrowdTests {
    private let one = ClientID(rawValue: [1])

    private func spec() -> Spec {
        var spec = Spec(kind: .compute, body: [], timeoutMs: 60_000)
        spec.skill = "k"
        return spec
    }

    private func ready(_ peer: ClientID) -> Event {
        .heardExternal(.ready(kernel: "k"), from: peer)
    }

    private func order(_ decisions: Decisions) -> OrderAddress? {
        decisions.externals.compactMap(\.address).first
    }

    /// It was told twice, for it said something between, and so it begins anew twice.
    @Test func `a worker that does as it was told costs its job nothing`() throws {
        var stage = Stage()
        stage.hear(ready(one))
        let first = try #require(order(stage.submit(spec())))
        stage.now = stage.now.adding(ms: spec().timeoutMs)
        #expect(stage.hear(.timePassed).externals.last?.word == .disconnect)
        #expect(
            stage.hear(
                .heardExternal(.reply(first, Outcome(format: .bytes, bytes: [42])), from: one)
            ).externals.map(\.word) == [
                .disconnect
            ]
        )
        stage.submit(spec())
        let second = try #require(order(stage.hear(ready(one))))
        let again = stage.hear(ready(one))
        guard case .settle(let report)? = again.changes.first else {
            Issue.record("\(again.changes)")
            return
        }
        #expect(report.job == second.job && report.ending == .putBack)
        // Whoever begins anew without being told has lost its run.
        let third = try #require(order(stage.hear(queued(second))))
        let lost = stage.hear(ready(one)).changes
        guard case .lose(third.job, _, _, _)? = lost.first else {
            Issue.record("\(lost)")
            return
        }
    }

    @Test func `nobody who was told to go is remembered for ever`() {
        var stage = Stage()
        for number in 0..<5_000 {
            let peer = ClientID(rawValue: [4, UInt8(number & 255), UInt8(number >> 8)])
            stage.hear(.heardExternal(.heartbeat, from: peer))
        }
        #expect(stage.dispatcher.externals.isSound)
    }

    /// All are walked through: not for each of a thousand.
    @Test func `runs that began one after the other are looked at together`() {
        var stage = Stage()
        let peers = (0..<50).map { ClientID(rawValue: [5, UInt8($0)]) }
        for peer in peers {
            stage.hear(ready(peer))
            stage.submit(spec())
            stage.now = stage.now.adding(ms: 1)
        }
        var looks = 0
        let end = stage.now.adding(ms: Crew.recordAfterMs + Externals.lookEveryMs)
        while let next = stage.dispatcher.nextWake(), next <= end {
            stage.now = max(next, stage.now)
            stage.hear(.timePassed)
            looks += 1
        }
        #expect(stage.dispatcher.externals.unrecorded == 0)
        #expect(looks <= 4)
    }

    private func queued(_ address: OrderAddress) -> Event {
        let waiting = Waiting(
            id: address.job,
            next: address.attempt.next,
            readyAt: Timestamp(rawValue: 0),
            losses: 0,
            spec: spec()
        )
        return .wrote([.queued(waiting)])
    }
}
