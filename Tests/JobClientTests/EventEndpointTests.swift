import JobWire
import Testing

@testable import JobClient

/// Where a client listens that has found the runner somewhere.
@Suite struct EventEndpointTests {
    private static let socket = "ipc:///state/run/events.sock"

    struct Case: Sendable {
        let endpoints: [String]
        let runner: String
        let expected: String?
    }

    @Test(arguments: [
        Case(endpoints: [], runner: "ipc:///a", expected: nil),
        Case(endpoints: [socket, "tcp://127.0.0.1:7"], runner: "ipc:///a", expected: socket),
        Case(endpoints: ["tcp://127.0.0.1:7"], runner: "ipc:///a", expected: "tcp://127.0.0.1:7"),
        Case(
            endpoints: [socket, "tcp://127.0.0.1:7"],
            runner: "tcp://127.0.0.1:5555",
            expected: "tcp://127.0.0.1:7"
        ),
        Case(endpoints: [socket], runner: "tcp://127.0.0.1:5555", expected: socket),
        Case(endpoints: [socket], runner: "tcp://localhost:5555", expected: socket),
        Case(endpoints: [socket], runner: "tcp://mill:5555", expected: nil),
        Case(
            endpoints: ["tcp://0.0.0.0:7"],
            runner: "tcp://mill:5555",
            expected: "tcp://mill:7"
        ),
        Case(
            endpoints: ["tcp://[::]:7"],
            runner: "tcp://[fe80::1]:5555",
            expected: "tcp://[fe80::1]:7"
        ),
        Case(
            endpoints: ["tcp://10.0.0.1:7"],
            runner: "tcp://mill:5555",
            expected: "tcp://10.0.0.1:7"
        ),
    ])
    func `events are heard where the runner was found`(_ given: Case) {
        #expect(eventEndpoint(among: given.endpoints, for: given.runner) == given.expected)
    }

    @Test func `what is no event is refused`() throws {
        let topic = Array("job.1.failed".utf8)
        let event = try EventStream.Event([topic, Array(#"{"id":1}"#.utf8)])
        #expect(event.topic == "job.1.failed" && event.body == ["id": 1])
        for frames in [
            [], [topic], [topic, Array("[]".utf8)], [topic, [1]], [[0xFF], [123, 125]],
        ] {
            #expect(throws: ClientError.self) { try EventStream.Event(frames) }
        }
    }
}
