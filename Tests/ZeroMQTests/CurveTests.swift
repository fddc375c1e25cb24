import Foundation
import Testing
import ZeroMQ

/// Who comes in by CURVE, and that nobody else does.
@Suite struct CurveTests {
    private let context: Context
    private let server: SecretKey
    private let ada: SecretKey

    init() throws {
        context = try Context()
        server = try SecretKey()
        ada = try SecretKey()
    }

    private struct Door: ~Copyable {
        let socket: Socket
        let endpoint: String
    }

    /// A router in the clear on one endpoint and with CURVE on another.
    private func door(_ plain: String) throws -> Door {
        var options = SocketOptions()
        options.isGuarded = true
        let door = try Socket(.router, in: context, options: options)
        try door.bind("tcp://127.0.0.1:*", secretKey: server)
        let endpoint = try door.lastEndpoint
        try door.bind(plain)
        #expect(endpoint.hasPrefix("tcp:"))
        return Door(socket: door, endpoint: endpoint)
    }

    private func client(_ keys: SocketOptions.ClientKeys?) throws -> Socket {
        var options = SocketOptions()
        options.keys = keys
        // A context of its own, as another process has.
        return try Socket(.dealer, in: Context(), options: options)
    }

    /// Answers on a thread of its own until the context is shut down.
    private func guarding(_ names: [PublicKey: String]) throws -> Run<Int> {
        let bound = DispatchSemaphore(value: 0)
        let (context, gate) = (context, Gate(names, inTheClear: "local"))
        let run = Run {
            let socket = try Socket(.router, in: context)
            try socket.bind(Gate.endpoint)
            bound.signal()
            var refusals = 0
            while case .message(let request)? =
                try? socket.receive(limits: .unlimited, waiting: true)
            {
                guard let answer = gate.answer(request) else { continue }
                if answer.refusal != nil { refusals += 1 }
                _ = try socket.send(answer.frames, waiting: false)
            }
            return refusals
        }
        try #require(bound.wait(timeout: .now() + .seconds(20)) == .success)
        return run
    }

    @Test func `one router serves the clear and CURVE, and knows who is who`() throws {
        let gate = try guarding([ada.publicKey: "ada"])
        let path = "ipc:///tmp/millrace-\(UUID().uuidString)"
        defer { unlink(String(path.dropFirst(6))) }
        let door = try door(path)

        let secret = try client(.init(secretKey: ada, serverKey: server.publicKey))
        try secret.connect(door.endpoint)
        _ = try secret.send([[1]], waiting: true)
        guard case .message(let first) = try next(door.socket) else { throw CancellationError() }
        #expect(first.last == [1])
        #expect(door.socket.sender == "ada")

        let plain = try client(nil)
        try plain.connect(path)
        _ = try plain.send([[2]], waiting: true)
        guard case .message(let second) = try next(door.socket) else { throw CancellationError() }
        #expect(second.last == [2])
        #expect(door.socket.sender == "local")

        // Nobody asks about a peer within the process, who so has no name.
        let inside = try Socket(.dealer, in: context)
        try door.socket.bind("inproc://inside")
        try inside.connect("inproc://inside")
        _ = try inside.send([[5]], waiting: true)
        guard case .message = try next(door.socket) else { throw CancellationError() }
        #expect(door.socket.sender == nil)

        // Answers find their way through both.
        #expect(try door.socket.send([first[0], [3]], waiting: false) == .sent)
        #expect(try door.socket.send([second[0], [4]], waiting: false) == .sent)
        #expect(try next(secret) == .message([[3]]))
        #expect(try next(plain) == .message([[4]]))
        context.shutdown()
        #expect(try gate.result()?.get() == 0)
    }

    /// All of these have sent before the one who may come in, so none of them is merely late.
    @Test func `no key, an unknown key and a wrong server key let nobody in`() throws {
        let gate = try guarding([ada.publicKey: "ada"])
        let door = try door("inproc://plain")
        let stranger = try SecretKey()
        for keys in [
            nil, SocketOptions.ClientKeys(secretKey: stranger, serverKey: server.publicKey),
            .init(secretKey: ada, serverKey: stranger.publicKey),
        ] {
            let outside = try client(keys)
            try outside.connect(door.endpoint)
            _ = try outside.send([[0]], waiting: false)
            var poll = PollSet()
            let index = poll.add(outside)
            try poll.wait(timeout: .milliseconds(300))
            #expect(!poll.isReady(index))
            let heard = try door.socket.receive(limits: .unlimited, waiting: false)
            #expect(heard == .nothing)
        }
        let secret = try client(.init(secretKey: ada, serverKey: server.publicKey))
        try secret.connect(door.endpoint)
        _ = try secret.send([[1]], waiting: true)
        guard case .message(let frames) = try next(door.socket) else { throw CancellationError() }
        #expect(frames.last == [1])
        context.shutdown()
        #expect(try #require(gate.result()).get() >= 1)
    }

    @Test func `while nobody answers for the gate nobody comes in`() throws {
        let door = try door("inproc://plain")
        let secret = try client(.init(secretKey: ada, serverKey: server.publicKey))
        try secret.connect(door.endpoint)
        _ = try secret.send([[1]], waiting: false)
        var poll = PollSet()
        let index = poll.add(door.socket)
        try poll.wait(timeout: .milliseconds(500))
        #expect(!poll.isReady(index))
    }

    /// libzmq hands on what a peer says about itself, under any name.
    @Test func `who claims a name in the clear does not get it`() throws {
        let gate = try guarding([ada.publicKey: "ada"])
        let path = "/tmp/millrace-\(UUID().uuidString)"
        defer { unlink(path) }
        let door = try door("ipc://" + path)
        let peer = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(peer) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let connected = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(peer, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(connected == 0)

        // ZMTP 3.0 (RFC 23): greeting, READY with properties, one message of one frame.
        func property(_ name: String, _ value: String) -> [UInt8] {
            [UInt8(name.utf8.count)] + .init(name) + [0, 0, 0, UInt8(value.utf8.count)]
                + .init(value)
        }
        let ready =
            [5] + [UInt8]("READY") + property("Socket-Type", "DEALER") + property("User-Id", "ada")
        let greeting =
            [0xFF] + [UInt8](repeating: 0, count: 8) + [0x7F, 3, 0] + .init("NULL")
            + [UInt8](repeating: 0, count: 48)
        let bytes = greeting + [4, UInt8(ready.count)] + ready
        #expect(send(peer, bytes, bytes.count, CInt(MSG_NOSIGNAL)) == bytes.count)
        var heard: [UInt8] = []
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        while !String(decoding: heard, as: UTF8.self).contains("READY") {
            var part = [UInt8](repeating: 0, count: 1_000)
            let count = recv(peer, &part, part.count, 0)
            try #require(count > 0)
            heard += part.prefix(count)
        }
        #expect(send(peer, [0, 1, 7] as [UInt8], 3, CInt(MSG_NOSIGNAL)) == 3)
        guard case .message(let frames) = try next(door.socket) else { throw CancellationError() }
        #expect(frames.last == [7])
        #expect(door.socket.sender == "local")
        context.shutdown()
        #expect(try gate.result()?.get() == 0)
    }

    @Test func `requests of the gate that are malformed are refused or dropped`() throws {
        let gate = Gate([ada.publicKey: "ada"])
        func request(_ frames: [[UInt8]]) -> [[UInt8]] { [[9], []] + frames }
        let good: [[UInt8]] = [
            .init("1.0"), .init("7"), .init("millrace"), .init("10.0.0.1"), [], .init("CURVE"),
            ada.publicKey.bytes,
        ]
        let answer = try #require(gate.answer(request(good)))
        #expect(answer.refusal == nil)
        #expect(
            answer.frames
                == [[9], [], .init("1.0"), .init("7"), .init("200"), .init("OK"), .init("ada"), []]
        )
        for (place, wrong) in [
            (0, [UInt8]("2.0")), (2, []), (2, .init("Millrace")), (2, .init("*")),
            (5, .init("NULL")), (5, .init("PLAIN")), (6, []),
            (6, Array(ada.publicKey.bytes.dropLast())), (6, ada.publicKey.bytes + [0]),
            (6, Array(ada.publicKey.text.utf8)), (6, server.publicKey.bytes),
        ] {
            var frames = good
            frames[place] = wrong
            let answer = try #require(gate.answer(request(frames)))
            #expect(answer.refusal != nil)
            #expect(answer.frames[4] == .init(place == 0 ? "500" : "400"))
            #expect(answer.frames[6] == [])
        }
        for count in 0..<good.count {
            let frames = request(Array(good.prefix(count)))
            #expect((gate.answer(frames) == nil) == (count < 2))
            #expect(gate.answer(frames)?.refusal != nil || count < 2)
            #expect(gate.answer(Array(good.prefix(count))) == nil)
        }
        #expect(gate.answer(request(good + [[]]))?.refusal != nil)

        let plain = request(good.prefix(5) + [.init("NULL")])
        #expect(gate.answer(plain)?.refusal != nil)
        let open = Gate([:], inTheClear: "")
        #expect(open.answer(plain)?.frames[4] == .init("200"))
        #expect(open.answer(request(good.prefix(5) + [.init("NULL"), []]))?.refusal != nil)
        #expect(open.answer(request(good))?.refusal != nil)
    }
}
