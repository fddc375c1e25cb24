internal import JobWire
internal import ZeroMQ

/// One connection of the bench to a runner: frames that were made beforehand go out, replies come
/// in without a look at their JSON, for the bench shares the cores with the runner.
final class BenchLine {
    let endpoint: String
    private let socket: Socket
    private var poll = PollSet()
    private let stop: StopSignals

    /// How long nothing at all may come.
    static let patienceNs: UInt64 = 60_000_000_000
    private static let limits = MessageLimits(frames: 16, bytes: 256 << 20)
    private static let version = Array("MDPC01".utf8)
    private static let good = Array("200".utf8)

    init(to endpoint: String, in context: Context, stop: StopSignals) throws {
        self.endpoint = endpoint
        self.stop = stop
        var options = SocketOptions()
        // What is under way is bounded by whoever sends.
        options.sendHighWaterMark = 0
        options.receiveHighWaterMark = 0
        socket = try Socket(.dealer, in: context, options: options)
        try socket.connect(endpoint)
        join(&poll)
    }

    /// All frames of a request.
    static func message(_ service: String, _ body: [UInt8]) -> [[UInt8]] {
        [[], version, Array(service.utf8), body]
    }

    func join(_ set: inout PollSet) { _ = set.add(socket) }

    func send(_ message: [[UInt8]]) throws {
        guard try socket.send(message, waiting: true) == .sent else {
            throw BenchError.silence(endpoint: endpoint)
        }
    }

    /// A reply that is there already.
    func nextIfAny() throws -> BenchReply? {
        guard case .message(let frames) = try socket.receive(limits: Self.limits, waiting: false)
        else { return nil }
        guard frames.count >= 5 else {
            throw BenchError.wrong("a reply has \(frames.count) frames")
        }
        guard frames[3] == Self.good else {
            throw BenchError.refused(
                digits: String(decoding: frames[3], as: UTF8.self),
                head: String(decoding: frames[4], as: UTF8.self)
            )
        }
        return BenchReply(head: frames[4], result: frames.count > 5 ? frames[5] : nil)
    }

    /// The next reply, waited for.
    func next() throws -> BenchReply {
        if let reply = try nextIfAny() { return reply }
        let start = nanoseconds()
        while nanoseconds() - start < Self.patienceNs {
            try stop.check()
            try poll.wait(timeout: .milliseconds(200))
            if let reply = try nextIfAny() { return reply }
        }
        throw BenchError.silence(endpoint: endpoint)
    }

    /// One request and its reply, where speed does not matter. Nothing else may be under way.
    func ask(_ service: String, _ body: JSON = [:]) throws -> JSON {
        try send(Self.message(service, body.encoded()))
        return try next().json
    }
}

/// A reply of 200.
struct BenchReply {
    let head: [UInt8]
    let result: [UInt8]?

    var json: JSON { get throws { try JSON(parsing: head) } }
}
