import Foundation
import JobClient
import JobWire
import Synchronization
import ZeroMQ

/// A ROUTER socket on a thread of its own that answers as a test wants, and notes what it heard.
/// Pings are answered by themselves, and `sys.info` too where what it tells is given.
final class FakeRunner: Sendable {
    /// One request without its envelope.
    struct Heard: Sendable {
        let service: String
        let body: JSON
        let frames: [[UInt8]]
        /// From 0; what is answered by itself is not counted.
        let number: Int
    }

    /// One answer: its digits, head and frames. Several are sent one after the other; none is
    /// silence.
    struct Answer: Sendable {
        var status = 200
        var head: JSON = [:]
        var frames: [[UInt8]] = []
        /// Nil echoes the request's name, null leaves it out.
        var request: JSON?
    }

    let endpoint: String
    private let context: Context
    private let notes = Notes()

    /// What was asked so far, without what is answered by itself.
    var heard: [Heard] { notes.all }

    /// `info` is what `sys.info` tells, `looks` how often it is asked that before it answers
    /// another request.
    init(
        at place: String = "tcp://127.0.0.1:*",
        info: (@Sendable () -> JSON)? = nil,
        lateBy looks: Int = 0,
        _ answer: @escaping @Sendable (Heard) -> [Answer]
    ) throws {
        let context = try Context()
        let endpoint = Mutex("")
        let isBound = DispatchSemaphore(value: 0)
        self.context = context
        Thread.detachNewThread { [notes] in
            guard let socket = try? Socket(.router, in: context) else { return }
            try? socket.bind(place)
            endpoint.withLock { $0 = (try? socket.lastEndpoint) ?? "" }
            isBound.signal()
            let manners = Manners(info: info, looks: looks, answer: answer)
            serve(socket, notes: notes, manners)
        }
        isBound.wait()
        self.endpoint = endpoint.withLock { $0 }
    }

    deinit { context.shutdown() }
}

/// What a runner heard.
private final class Notes: Sendable {
    private let entries = Mutex<[FakeRunner.Heard]>([])
    var all: [FakeRunner.Heard] { entries.withLock { $0 } }
    func add(_ entry: FakeRunner.Heard) { entries.withLock { $0.append(entry) } }
}

/// How a runner answers.
private struct Manners {
    let info: (() -> JSON)?
    let looks: Int
    let answer: (FakeRunner.Heard) -> [FakeRunner.Answer]
}

private func serve(_ socket: borrowing Socket, notes: Notes, _ manners: Manners) {
    var number = 0
    // Requests that wait for so many looks.
    var held: [(message: [[UInt8]], answers: [FakeRunner.Answer], looks: Int)] = []
    while case .message(let message)? = try? socket.receive(limits: .unlimited, waiting: true) {
        let body = (try? JSON(parsing: message[4])) ?? .null
        let request = FakeRunner.Heard(
            service: String(decoding: message[3], as: UTF8.self),
            body: body,
            frames: Array(message.dropFirst(5)),
            number: number
        )
        if request.service == "sys.ping" {
            answer(message, [FakeRunner.Answer()], on: socket)
        } else if request.service == "sys.info", let info = manners.info {
            answer(message, [FakeRunner.Answer(head: info())], on: socket)
            for place in held.indices { held[place].looks -= 1 }
        } else {
            number += 1
            notes.add(request)
            held.append((message, manners.answer(request), manners.looks))
        }
        for request in held where request.looks == 0 {
            answer(request.message, request.answers, on: socket)
        }
        held.removeAll { $0.looks == 0 }
    }
}

private func answer(
    _ message: [[UInt8]],
    _ answers: [FakeRunner.Answer],
    on socket: borrowing Socket
) {
    let body = (try? JSON(parsing: message[4])) ?? .null
    for answer in answers {
        var head = answer.head.objectValue ?? JSONObject()
        if let name = answer.request ?? body["request"], !name.isNull {
            _ = head.append("request", name)
        }
        let frames =
            message[..<4] + [Array("\(answer.status)".utf8), JSON.object(head).encoded()]
            + answer.frames
        _ = try? socket.send(Array(frames), waiting: false)
    }
}

/// Answers as a runner that tells `most` bytes in a reply, and may be asked for `longest`.
func pieces(
    of result: [UInt8],
    most: Int,
    longest: Int64 = .max,
    attempt: @escaping @Sendable (Int) -> Int64 = { _ in 1 }
) -> @Sendable (FakeRunner.Heard) -> [FakeRunner.Answer] {
    { request in
        guard let offset = request.body["offset"]?.integerValue else {
            return [.init(status: 413, head: ["error": ["code": "read_in_pieces"]])]
        }
        guard request.body["limit"]?.integerValue ?? 0 <= longest else {
            return [.init(status: 422, head: ["error": ["code": "out_of_bounds"]])]
        }
        let limit = min(most, Int(request.body["limit"]?.integerValue ?? .max))
        let piece = result.dropFirst(Int(offset)).prefix(limit)
        let head: JSON = [
            "id": 5, "state": "succeeded", "attempt": .integer(attempt(request.number)),
            "offset": .integer(offset), "eof": .bool(piece.endIndex == result.count),
        ]
        return [.init(head: head, frames: [Array(piece)])]
    }
}

extension JobClient.Options {
    /// Of a client that gives up on a try soon, for tests that lose replies on purpose.
    static func impatient(tries: Int) -> JobClient.Options {
        var options = JobClient.Options()
        options.patience = .milliseconds(300)
        options.tries = tries
        options.greeting = .seconds(20)
        return options
    }
}
