import JobCore
import Testing

@testable import JobWire

/// What subscribers hear, byte for byte, and what they are understood to want.
@Suite("Events on the wire") struct EventTests {
    private static let job = JobID(rawValue: 17)
    private static let two = Attempt(rawValue: 2)
    private static let moment = Timestamp(rawValue: 1_800_000_000_000)

    struct Case: Sendable {
        let announcement: Announcement
        let topic: String
        let members: String
    }

    @Test(arguments: [
        Case(
            announcement: .queued(
                .init(id: job, attempt: .none, queue: .standard, readyAt: Timestamp(rawValue: 5))
            ),
            topic: "job.17.queued",
            members: #""id":17,"state":"queued","attempt":0,"queue":"default","ready_at":5"#
        ),
        Case(
            announcement: .queued(
                .init(id: job, attempt: two, queue: .standard, readyAt: nil)
            ),
            topic: "job.17.queued",
            members: #""id":17,"state":"queued","attempt":2,"queue":"default""#
        ),
        Case(
            announcement: .running(job, two, WorkerID(rawValue: 3)),
            topic: "job.17.running",
            members: #""id":17,"state":"running","attempt":2,"worker":3"#
        ),
        Case(
            announcement: .progress(job, two, Progress(done: 1, total: 4)),
            topic: "job.17.progress",
            members: #""id":17,"state":"running","attempt":2,"progress":{"done":1,"total":4}"#
        ),
        Case(
            announcement: .ended(job, .succeeded, two, nil),
            topic: "job.17.succeeded",
            members: #""id":17,"state":"succeeded","attempt":2"#
        ),
        Case(
            announcement: .ended(job, .failed, two, .timeout),
            topic: "job.17.failed",
            members: #""id":17,"state":"failed","attempt":2,"error":{"code":"timeout"}"#
        ),
        Case(
            announcement: .paused(true, .standard),
            topic: "queue.default.paused",
            members: #""queue":"default","paused":true"#
        ),
        Case(
            announcement: .paused(false, .standard),
            topic: "queue.default.resumed",
            members: #""queue":"default","paused":false"#
        ),
    ])
    func `an event is a topic and an object`(_ expected: Case) {
        let frames = expected.announcement.frames(
            run: RunID(rawValue: 4),
            sequence: 9,
            at: Self.moment
        )
        #expect(
            frames.map { String(decoding: $0, as: UTF8.self) } == [
                expected.topic,
                #"{"seq":9,"run":4,"at":1800000000000,\#(expected.members)}"#,
            ]
        )
    }

    private func subscribe(_ topic: String) -> [[UInt8]] { [[1] + Array(topic.utf8)] }
    private func unsubscribe(_ topic: String) -> [[UInt8]] { [[0] + Array(topic.utf8)] }

    private func want(_ subscriptions: Subscriptions, _ topic: String) -> Bool {
        subscriptions.want(Array(topic.utf8))
    }

    @Test func `what begins with a topic is wanted, until nobody wants it any more`() {
        var subscriptions = Subscriptions()
        #expect(subscriptions.isEmpty && !want(subscriptions, "job.1.failed"))
        subscriptions.hear(subscribe("job.1."))
        subscriptions.hear(subscribe("queue."))
        subscriptions.hear(subscribe("queue."))
        #expect(subscriptions.count == 2)
        #expect(want(subscriptions, "job.1.failed") && want(subscriptions, "queue.a.paused"))
        #expect(!want(subscriptions, "job.11.failed") && !want(subscriptions, "job.1"))
        subscriptions.hear(unsubscribe("job.1."))
        #expect(!want(subscriptions, "job.1.failed") && want(subscriptions, "queue.a.paused"))
        subscriptions.hear(subscribe(""))
        #expect(want(subscriptions, "job.1.failed"))
        subscriptions.hear(unsubscribe(""))
        subscriptions.hear(unsubscribe("queue."))
        #expect(subscriptions.isEmpty && !want(subscriptions, "queue.a.paused"))
    }

    @Test func `what is no subscription changes nothing`() {
        var subscriptions = Subscriptions()
        for message in [[], [[]], [[2, 1]], [[1, 65], [1]], [Array("job".utf8)]] as [[[UInt8]]] {
            subscriptions.hear(message)
        }
        #expect(subscriptions.isEmpty)
        subscriptions.hear(unsubscribe("never"))
        #expect(subscriptions.count == 0)
    }

    @Test func `more topics than are looked at one by one want everything`() {
        var subscriptions = Subscriptions()
        for number in 0..<Subscriptions.most { subscriptions.hear(subscribe("job.\(number).")) }
        #expect(!want(subscriptions, "queue.a.paused"))
        subscriptions.hear(subscribe("one more"))
        #expect(subscriptions.count == Subscriptions.most + 1)
        #expect(want(subscriptions, "queue.a.paused"))
        subscriptions.hear(unsubscribe("one more"))
        #expect(!want(subscriptions, "queue.a.paused"))
        #expect(want(subscriptions, "job.7.failed"))
    }

    @Test func `progress of a process for kernels arrives as it was told`() throws {
        let progress = Progress(done: -1, total: .max)
        #expect(try Progress(progress.frames) == progress)
        #expect(throws: FrameError.self) { try Progress([]) }
        #expect(throws: FrameError.self) { try Progress([[80, 1]]) }
        #expect(throws: FrameError.self) { try Progress(Report.frames(for: [])) }
        #expect(throws: FrameError.self) { try Report.read(progress.frames) }
    }
}
