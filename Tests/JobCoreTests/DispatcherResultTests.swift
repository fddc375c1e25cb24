import Testing

@testable import JobCore

/// Goal: a result that is not to be kept is told to everybody who waits for it, and only what
/// nobody else can want stays unwritten.
@Suite("Results that are not kept") struct DispatcherResultTests {
    private var spec: Spec {
        var spec = makeSpec()
        spec.keepMs = 0
        return spec
    }

    private func started(_ stage: inout Stage, _ spec: Spec, waitMs: Int64?) throws -> Order {
        try #require(stage.submit(spec, waitMs: waitMs).orders.first?.order)
    }

    /// What the writer is given for a report of this many bytes.
    private func settled(_ stage: inout Stage, _ order: Order, bytes: Int = 1) throws -> Outcome {
        var report = makeReport(order)
        report.ending = .succeeded(
            Outcome(format: .bytes, bytes: [UInt8](repeating: 42, count: bytes))
        )
        let change = try #require(stage.hear(.reported([report])).changes.first)
        guard case .settle(let settled) = change, case .succeeded(let outcome) = settled.ending
        else { throw Violation(sentence: "\(change)") }
        return outcome
    }

    private func ended(_ order: Order, _ outcome: Outcome) -> Fact {
        let end = JobEnd(id: order.job, state: .succeeded, attempt: order.attempt, failure: nil)
        return .ended(Ended(end: end, outcome: outcome))
    }

    @Test func `all who wait for it are told it when the end is written, not before`() throws {
        var stage = Stage()
        let order = try started(&stage, spec, waitMs: 1_000)
        #expect(
            stage.ask(.result(order.job, range: .whole, waitMs: 500), client: 2).messages.isEmpty
        )
        let outcome = try settled(&stage, order)
        #expect(!outcome.isKept)
        let told = stage.hear(.wrote([ended(order, outcome)]))
        #expect(told.queries.isEmpty)
        #expect(told.messages.map(\.to) == [caller(), caller(2)])
        for message in told.messages {
            guard case .result(let result) = message.reply else {
                Issue.record("\(message)")
                continue
            }
            #expect(result.bytes == [42])
            #expect(!result.isKept)
        }
        #expect(stage.dispatcher.passing.isEmpty)
    }

    @Test func `it is kept when nobody waits for all of it`() throws {
        let id = JobID(rawValue: 1)
        let requests: [Request?] = [
            nil, .wait([id], waitMs: 500),
            .result(id, range: ByteRange(offset: 0, limit: 1), waitMs: 500),
        ]
        for request in requests {
            var stage = Stage()
            let order = try started(&stage, spec, waitMs: nil)
            if let request { _ = stage.ask(request) }
            #expect(try settled(&stage, order).isKept)
        }
        // One waits for all of it, another for a piece.
        var stage = Stage()
        let order = try started(&stage, spec, waitMs: 500)
        if let request = requests[2] { _ = stage.ask(request, client: 2) }
        #expect(try settled(&stage, order).isKept)
    }

    @Test func `it is kept when the job does not say otherwise`() throws {
        for keepMs in [nil, 1] as [Int64?] {
            var stage = Stage()
            var spec = spec
            spec.keepMs = keepMs
            let order = try started(&stage, spec, waitMs: 500)
            #expect(try settled(&stage, order).isKept)
        }
    }

    @Test(arguments: [(100, false), (101, true)])
    func `it is kept when it is larger than one reply`(bytes: Int, isKept: Bool) throws {
        var limits = Limits()
        limits.replyBytes = 100
        var stage = Stage(limits: limits)
        let order = try started(&stage, spec, waitMs: 500)
        let outcome = try settled(&stage, order, bytes: bytes)
        #expect(outcome.isKept == isKept)
        guard let reply = stage.hear(.wrote([ended(order, outcome)])).messages.first?.reply else {
            Issue.record("nobody is told")
            return
        }
        switch reply {
        case .result(let result): #expect(result.bytes.count == bytes)
        case .refused(let refusal): #expect(isKept && refusal.code == "read_in_pieces")
        default: Issue.record("\(reply)")
        }
    }

    @Test func `who looks after the end was written and before it is known waits for it`() throws {
        var stage = Stage()
        let order = try started(&stage, spec, waitMs: 1_000)
        let outcome = try settled(&stage, order)
        let piece = ByteRange(offset: 0, limit: 1)
        let asked = stage.ask(.result(order.job, range: piece, waitMs: 500), client: 2)
        let ticket = try #require(asked.queries.first?.ticket)
        let end = JobEnd(id: order.job, state: .succeeded, attempt: order.attempt, failure: nil)
        let looked = stage.hear(.answered(ticket, .ends([end], isIssued: [true])))
        #expect(looked.messages.isEmpty && looked.queries.isEmpty)
        let told = stage.hear(.wrote([ended(order, outcome)])).messages
        #expect(told.map(\.to) == [caller(), caller(2)])
        for message in told {
            guard case .result(let result) = message.reply else { continue }
            #expect(result.bytes == [42])
        }
    }

    @Test func `who asks later hears that it is gone`() throws {
        var stage = Stage()
        let order = try started(&stage, spec, waitMs: 1_000)
        let outcome = try settled(&stage, order)
        stage.hear(.wrote([ended(order, outcome)]))
        let asked = stage.ask(.result(order.job, range: .whole, waitMs: nil))
        let ticket = try #require(asked.queries.first?.ticket)
        let end = JobEnd(id: order.job, state: .succeeded, attempt: order.attempt, failure: nil)
        let answer = Answer.result(JobResult(end: end), isIssued: true)
        let told = stage.hear(.answered(ticket, answer)).messages.first
        guard case .refused(let refusal)? = told?.reply else {
            Issue.record("\(told as Any)")
            return
        }
        #expect((refusal.status, refusal.code) == (410, "expired"))
    }

    @Test func `who waited too briefly is told so, and nothing is left behind`() throws {
        var stage = Stage()
        let order = try started(&stage, spec, waitMs: 100)
        let outcome = try settled(&stage, order)
        stage.now = stage.now.adding(ms: 200)
        guard case .pending? = stage.hear(.timePassed).messages.first?.reply else {
            Issue.record("not told")
            return
        }
        #expect(stage.hear(.wrote([ended(order, outcome)])).messages.isEmpty)
        #expect(stage.dispatcher.passing.isEmpty && stage.dispatcher.waits.count == 0)
    }

    @Test func `a cancel that comes first is what is told`() throws {
        var stage = Stage()
        let order = try started(&stage, spec, waitMs: 1_000)
        _ = try settled(&stage, order)
        let end = JobEnd(
            id: order.job,
            state: .cancelled,
            attempt: order.attempt,
            failure: .calledOff
        )
        let told = stage.hear(.wrote([.ended(Ended(end: end))])).messages.first
        guard case .result(let result)? = told?.reply else {
            Issue.record("\(told as Any)")
            return
        }
        #expect(result.end == end)
        #expect(stage.dispatcher.passing.isEmpty)
    }
}
