import Testing
import ZeroMQ

/// Who owns a socket, where it is reached, and what it says when something is wrong.
@Suite struct SocketTests {
    @Test func `a socket keeps its context alive and closes with its owner`() throws {
        weak var context: Context?
        func make() throws -> Socket {
            let made = try Context()
            context = made
            return try Socket(.router, in: made)
        }
        func close(_ socket: consuming Socket) {}

        let socket = try make()
        #expect(context != nil)
        try socket.bind("inproc://alive")
        close(socket)
        #expect(context == nil)  // And so the context has terminated, which needs closed sockets.
    }

    @Test func `a wildcard port is told`() throws {
        let socket = try Socket(.router, in: Context())
        #expect(try socket.lastEndpoint == "")
        try socket.bind("tcp://127.0.0.1:*")
        let endpoint = try socket.lastEndpoint
        #expect(endpoint.hasPrefix("tcp://127.0.0.1:"))
        #expect(UInt16(endpoint.split(separator: ":").last ?? "") != nil)
    }

    @Test func `an error names what was tried and why it failed`() throws {
        let context = try Context()
        let first = try Socket(.router, in: context)
        try first.bind("tcp://127.0.0.1:*")
        let endpoint = try first.lastEndpoint
        let second = try Socket(.router, in: context)

        let error = #expect(throws: ZeroMQError.self) { try second.bind(endpoint) }
        #expect(error?.description == "cannot bind \(endpoint): Address already in use")
        #expect(error?.isShutdown == false)
        #expect(throws: ZeroMQError.self) { try second.connect("nonsense") }
    }

    @Test func `a routing id of no or too many bytes is refused`() throws {
        let context = try Context()
        for length in [0, 256] {
            var options = SocketOptions()
            options.routingID = [UInt8](repeating: 1, count: length)
            #expect(throws: ZeroMQError.self) {
                _ = try Socket(.dealer, in: context, options: options)
            }
        }
    }

    @Test func `every option is accepted`() throws {
        var options = SocketOptions()
        options.routingID = [1]
        options.sendHighWaterMark = 10
        options.receiveHighWaterMark = 0
        options.maxMessageSize = 1 << 40
        options.handshakeInterval = .seconds(2)
        options.heartbeatInterval = .milliseconds(500)
        options.heartbeatTimeout = .seconds(5)
        let context = try Context(maxSockets: 4)
        for kind in [Socket.Kind.router, .dealer, .req, .pair] {
            _ = try Socket(kind, in: context, options: options)
        }
    }

    @Test func `a context refuses more sockets than it was made for`() throws {
        let context = try Context(maxSockets: 1)
        let first = try Socket(.pair, in: context)
        #expect(throws: ZeroMQError.self) { _ = try Socket(.pair, in: context) }
        try first.bind("inproc://first")
    }
}
