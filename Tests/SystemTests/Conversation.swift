import JobTesting
import JobWire
import Testing
import ZeroMQ

/// A client that is nothing but a socket: it says bytes and hears bytes. No part of the product but
/// the socket and the parser of JSON helps it.
final class Conversation {
    private let kind: Socket.Kind
    private let socket: Socket

    /// One question at a time.
    convenience init(_ endpoint: String, keys: SocketOptions.ClientKeys? = nil) throws {
        try self.init(.req, endpoint, keys)
    }

    /// Many questions at a time.
    convenience init(dealer endpoint: String, keys: SocketOptions.ClientKeys? = nil) throws {
        try self.init(.dealer, endpoint, keys)
    }

    private init(
        _ kind: Socket.Kind,
        _ endpoint: String,
        _ keys: SocketOptions.ClientKeys?
    ) throws {
        self.kind = kind
        var options = SocketOptions()
        options.keys = keys
        socket = try Socket(kind, in: Context(), options: options)
        try socket.connect(endpoint)
    }

    func say(_ service: String, _ body: String = "", frames: [[UInt8]] = []) throws {
        try say([Array("MDPC01".utf8), Array(service.utf8), Array(body.utf8)] + frames)
    }

    /// Any frames at all; a dealer adds the empty one that a REQ socket adds by itself.
    func say(_ frames: [[UInt8]]) throws {
        let outcome = try socket.send(kind == .dealer ? [[]] + frames : frames, waiting: true)
        try #require(outcome == .sent)
    }

    /// What a dealer sends, with nothing added and without waiting.
    ///
    /// - Returns: False when libzmq has no room now.
    func sayRaw(_ frames: [[UInt8]]) throws -> Bool {
        try socket.send(frames, waiting: false) == .sent
    }

    /// The next reply.
    func hear(within limit: Duration = patience) throws -> Said {
        guard let said = try hearIfAny(within: limit) else { throw NeverHappened("a reply came") }
        return said
    }

    func hearIfAny(within limit: Duration = .zero) throws -> Said? {
        try framesIfAny(within: limit).map { try Said($0, from: kind) }
    }

    /// The next message, whatever it is.
    func hearFrames() throws -> [[UInt8]] {
        guard let frames = try framesIfAny(within: patience) else {
            throw NeverHappened("a message came")
        }
        return frames
    }

    private func framesIfAny(within limit: Duration) throws -> [[UInt8]]? {
        var poll = PollSet()
        let index = poll.add(socket)
        let deadline = ContinuousClock.now + limit
        repeat {
            if limit > .zero { try poll.wait(timeout: ContinuousClock.now.duration(to: deadline)) }
            guard limit == .zero || poll.isReady(index) else { continue }
            switch try socket.receive(limits: .unlimited, waiting: false) {
            case .nothing: continue
            case .message(let frames): return frames
            case .tooLarge: throw NeverHappened("a reply fits into memory")
            }
        } while ContinuousClock.now < deadline
        return nil
    }

    @discardableResult
    func ask(_ service: String, _ body: String = "", frames: [[UInt8]] = []) throws -> Said {
        try say(service, body, frames: frames)
        return try hear()
    }
}

/// A reply, frame by frame.
struct Said {
    let service: String
    let code: String
    /// The JSON object, or null where the protocol has none.
    let head: JSON
    /// Binary frames: a result's bytes.
    let frames: [[UInt8]]

    init(_ message: [[UInt8]], from kind: Socket.Kind) throws {
        if kind == .dealer { try #require(message.first == []) }
        let frames = kind == .dealer ? Array(message.dropFirst()) : message
        try #require(frames.count >= 3)
        try #require(frames[0] == Array("MDPC01".utf8))
        service = String(decoding: frames[1], as: UTF8.self)
        code = String(decoding: frames[2], as: UTF8.self)
        head = frames.count > 3 ? try JSON(parsing: frames[3]) : .null
        self.frames = Array(frames.dropFirst(4))
    }

    var text: String? { frames.first.map { String(decoding: $0, as: UTF8.self) } }
    var id: Int64 { head["id"]?.integerValue ?? -1 }
    var ids: [Int64] { head["ids"]?.arrayValue?.compactMap(\.integerValue) ?? [] }
    var state: String? { head["state"]?.stringValue }
    /// Of a refusal, or of a job that failed.
    var errorCode: String? { head["error"]?["code"]?.stringValue }

    subscript(key: String) -> JSON? { head[key] }
}

/// What most sessions do.
extension Conversation {
    /// Submits one job.
    func submit(_ job: String, frames: [[UInt8]] = []) throws -> Int64 {
        let said = try ask("job.submit", job, frames: frames)
        try #require(said.code == "200", "\(said.head)")
        return said.id
    }

    func show(_ id: Int64) throws -> Said { try ask("job.show", #"{"id":\#(id)}"#) }

    /// The result, once the job has ended.
    func result(_ id: Int64) throws -> Said {
        try eventually("job \(id) ends") {
            let said = try ask("job.result", #"{"id":\#(id),"wait_ms":20000}"#)
            return said.code == "300" ? nil : said
        }
    }

    /// Waits until `job.show` says so.
    func waitUntil(_ id: Int64, _ isSo: (Said) -> Bool) throws -> Said {
        try eventually("job \(id) is as expected") {
            let said = try show(id)
            return isSo(said) ? said : nil
        }
    }

    func waitUntilRunning(_ id: Int64) throws {
        _ = try waitUntil(id) { $0.state == "running" }
    }

    var run: Int64 {
        get throws { try ask("sys.info")["run"]?.integerValue ?? -1 }
    }
}
