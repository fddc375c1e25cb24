import Testing
import ZeroMQ

/// Messages arrive whole or not at all, and the caller is told which.
@Suite struct MessageTests {
    @Test(arguments: ["inproc://round-trip", "tcp://127.0.0.1:*", "ipc://*"])
    func `a multipart message makes the round trip`(endpoint: String) throws {
        let context = try Context()
        let router = try Socket(.router, in: context)
        try router.bind(endpoint)
        var options = SocketOptions()
        options.routingID = [UInt8]("client")
        let dealer = try Socket(.dealer, in: context, options: options)
        try dealer.connect(router.lastEndpoint)

        let request = [[], [1, 2, 3], [UInt8](repeating: 7, count: 300), []]
        #expect(try dealer.send(request, waiting: true) == .sent)
        #expect(try next(router) == .message([[UInt8]("client")] + request))

        #expect(try router.send([[UInt8]("client"), [], [9]], waiting: false) == .sent)
        #expect(try next(dealer) == .message([[], [9]]))
    }

    @Test func `a req socket adds and removes its envelope`() throws {
        let context = try Context()
        let router = try Socket(.router, in: context)
        try router.bind("inproc://req")
        let client = try Socket(.req, in: context)
        try client.connect("inproc://req")

        #expect(try client.send([[1]], waiting: true) == .sent)
        guard case .message(let frames) = try next(router) else {
            Issue.record("no request came")
            return
        }
        #expect(frames.dropFirst() == [[], [1]])
        #expect(throws: ZeroMQError.self) { try client.send([[2]], waiting: false) }

        #expect(try router.send([frames[0], [], [3]], waiting: false) == .sent)
        #expect(try next(client) == .message([[3]]))
    }

    @Test(arguments: ["inproc://large", "tcp://127.0.0.1:*"])
    func `a frame of 1 MiB arrives byte for byte`(endpoint: String) throws {
        let context = try Context()
        let left = try Socket(.pair, in: context)
        try left.bind(endpoint)
        let right = try Socket(.pair, in: context)
        try right.connect(left.lastEndpoint)

        let large = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        #expect(try right.send([large, [1]], waiting: true) == .sent)
        let arrived = try next(left) == .message([large, [1]])
        #expect(arrived)  // Not the frames themselves: a failure would print a million numbers.
    }

    @Test func `empty frames and a lone empty frame are messages`() throws {
        let ends = try Ends()
        #expect(try ends.left.send([[]], waiting: false) == .sent)
        #expect(try ends.left.send([[], [], []], waiting: false) == .sent)
        #expect(try next(ends.right) == .message([[]]))
        #expect(try next(ends.right) == .message([[], [], []]))
        #expect(try ends.right.receive(limits: .unlimited, waiting: false) == .nothing)
    }
}
