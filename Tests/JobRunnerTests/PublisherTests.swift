import JobCore
import JobTesting
import JobWire
import Logging
import Testing
import ZeroMQ

@testable import JobRunner

/// The thread that tells of events, with a test in the place of the broker.
@Suite("The publisher") struct PublisherTests {
    private let context: Context
    private let audience: Audience
    private let directory: TemporaryDirectory
    private let endpoint: String
    private let came = Mailbox<Bool>()
    private let gone = Mailbox<Bool>()

    init() throws {
        context = try Context()
        audience = Audience(most: 1_000)
        directory = try TemporaryDirectory()
        let kit = Publisher.Kit(
            context: context,
            endpoints: ["ipc://\(directory.path)/events.sock"],
            options: SocketOptions(),
            secretKey: nil,
            run: RunID(rawValue: 3),
            audience: audience,
            somebodyCame: { [came] in came.put(true) },
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        endpoint = try Publisher.start(kit) { [gone] in gone.put(true) }.first ?? ""
    }

    private func end() {
        audience.inbox.put(.stop)
        _ = gone.wait()
    }

    private func subscribe(_ topic: String) throws -> Socket {
        let before = audience.counts.subscriptions
        let socket = try Socket(.sub, in: context)
        try socket.subscribe(Array(topic.utf8))
        try socket.connect(endpoint)
        try eventually("the publisher knows") { () -> Void? in
            audience.counts.subscriptions > before ? () : nil
        }
        return socket
    }

    private func end(of job: Int64) -> Announcement {
        .ended(JobID(rawValue: job), .succeeded, Attempt(rawValue: 1), nil)
    }

    private struct Heard: Equatable {
        let topic: String
        let seq: Int64?

        init(_ topic: String, _ seq: Int64?) {
            self.topic = topic
            self.seq = seq
        }
    }

    private func next(_ socket: borrowing Socket) throws -> Heard {
        guard case .message(let frames) = try socket.receive(limits: .unlimited, waiting: true)
        else { return Heard("", nil) }
        let body = try JSON(parsing: frames[1])
        return Heard(String(decoding: frames[0], as: UTF8.self), body["seq"]?.integerValue)
    }

    @Test func `each hears what it has subscribed to, by the number that it has`() throws {
        #expect(!audience.isThere)
        let one = try subscribe("job.1.")
        let all = try subscribe("")
        #expect(audience.isThere)
        #expect(!came.wait().isEmpty)
        let now = Timestamp(rawValue: 5)
        audience.tell([end(of: 2), end(of: 1)], at: now)
        #expect(try next(one) == Heard("job.1.succeeded", 2))
        #expect(try next(all) == Heard("job.2.succeeded", 1))
        #expect(try next(all) == Heard("job.1.succeeded", 2))
        #expect(audience.counts.published == 2)
        end()
    }

    @Test func `what nobody wants is not published, and counts all the same`() throws {
        let queues = try subscribe("queue.")
        let now = Timestamp(rawValue: 5)
        audience.tell([end(of: 1)], at: now)
        audience.tell([.paused(true, .standard)], at: now)
        #expect(try next(queues) == Heard("queue.default.paused", 2))
        #expect(audience.counts.published == 1)
        end()
    }

    @Test func `more than may be on its way is dropped and counted, and leaves a gap`() throws {
        // Nobody publishes here, so that everything stays on its way.
        let full = Audience(most: 3)
        let now = Timestamp(rawValue: 5)
        full.tell([end(of: 1), end(of: 2), end(of: 3)], at: now)
        full.tell([end(of: 4), end(of: 5)], at: now)
        #expect(full.counts.dropped == 2)
        full.arrived(3)
        full.tell([end(of: 6)], at: now)
        var dropped: [Int64] = []
        for case .announced(_, _, let before) in full.inbox.takeAll() { dropped.append(before) }
        #expect(dropped == [0, 2])

        let all = try subscribe("")
        audience.inbox.put(.announced([end(of: 6)], at: now, dropped: 2))
        #expect(try next(all).seq == 3)
        end()
    }

    @Test func `a topic that is longer than any is no subscription`() throws {
        let longest = try subscribe(String(repeating: "x", count: Limits.topicBytes))
        #expect(audience.counts.subscriptions == 1)
        let socket = try Socket(.sub, in: context)
        try socket.subscribe([UInt8](repeating: 120, count: Limits.topicBytes + 1))
        try socket.subscribe(Array("job.".utf8))
        try socket.connect(endpoint)
        try eventually("the publisher knows") { () -> Void? in
            audience.counts.subscriptions > 1 ? () : nil
        }
        #expect(audience.counts.subscriptions == 2)
        _ = consume longest
        end()
    }

    @Test func `an endpoint that cannot be had is named`() throws {
        let kit = Publisher.Kit(
            context: context,
            endpoints: ["ipc:///no/such/directory/events.sock"],
            options: SocketOptions(),
            secretKey: nil,
            run: RunID(rawValue: 3),
            audience: Audience(),
            somebodyCame: {},
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let error = #expect(throws: RunnerError.self) { try Publisher.start(kit) {} }
        #expect(error?.summary.contains("ipc:///no/such/directory/events.sock") == true)
        end()
    }
}
