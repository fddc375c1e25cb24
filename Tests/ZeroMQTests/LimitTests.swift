import JobTesting
import Testing
import ZeroMQ

/// What happens when there is too much, or nobody to send to.
@Suite struct LimitTests {
    @Test func `a message of too many frames is drained and the next one is intact`() throws {
        let ends = try Ends()
        let many = [[UInt8]](repeating: [5], count: 10_000)
        #expect(try ends.left.send([[1], [2]] + many, waiting: false) == .sent)
        #expect(try ends.left.send([[3], [4], [5]], waiting: false) == .sent)

        let limits = MessageLimits(frames: 3, bytes: 100)
        #expect(try next(ends.right, limits: limits) == .tooLarge([[1], [2], [5]]))
        #expect(try next(ends.right, limits: limits) == .message([[3], [4], [5]]))
    }

    @Test func `a message of too many bytes keeps the frames before the excess`() throws {
        let ends = try Ends()
        let large = [UInt8](repeating: 0, count: 99)
        #expect(try ends.left.send([[1], large, [2]], waiting: false) == .sent)
        #expect(try ends.left.send([large, [1]], waiting: false) == .sent)

        let limits = MessageLimits(frames: 8, bytes: 100)
        // The small frame after the excess must not be taken for the second one.
        #expect(
            try next(ends.right, limits: MessageLimits(frames: 8, bytes: 99)) == .tooLarge([[1]])
        )
        let arrived = try next(ends.right, limits: limits) == .message([large, [1]])
        #expect(arrived, "a message of just the limit fits")
    }

    @Test func `limits of nothing keep nothing`() throws {
        let ends = try Ends()
        #expect(try ends.left.send([[1]], waiting: false) == .sent)
        #expect(try next(ends.right, limits: MessageLimits(frames: 0, bytes: 0)) == .tooLarge([]))
    }

    @Test func `a router says that it knows no such peer`() throws {
        let router = try Socket(.router, in: Context())
        try router.bind("inproc://router")
        #expect(try router.send([[1], [2]], waiting: false) == .unreachable)
        #expect(try router.send([[1], [2]], waiting: true) == .unreachable)
    }

    @Test func `a router that is not mandatory drops what it cannot deliver`() throws {
        var options = SocketOptions()
        options.routerMandatory = false
        let router = try Socket(.router, in: Context(), options: options)
        #expect(try router.send([[1], [2]], waiting: false) == .sent)
    }

    @Test func `a dealer without a peer is full`() throws {
        let dealer = try Socket(.dealer, in: Context())
        #expect(try dealer.send([[1]], waiting: false) == .full)
    }

    @Test func `beyond the high water mark a socket is full just until its peer reads`() throws {
        let ends = try Ends(queueing: 5)
        // Each end of an inproc connection queues five.
        let outcomes = try fill(ends.left, with: [[1], [2]])
        #expect(outcomes == 10)

        for _ in 0..<outcomes {
            #expect(try next(ends.right) == .message([[1], [2]]))
        }
        #expect(try ends.right.receive(limits: .unlimited, waiting: false) == .nothing)
        #expect(try ends.left.send([[3], [4]], waiting: false) == .sent)
        #expect(try next(ends.right) == .message([[3], [4]]))
    }

    @Test func `a router is full for the one peer that does not read`() throws {
        let context = try Context()
        var options = SocketOptions()
        options.sendHighWaterMark = 3
        options.receiveHighWaterMark = 3
        let router = try Socket(.router, in: context, options: options)
        try router.bind("inproc://router")
        options.routingID = [UInt8]("slow")
        let slow = try Socket(.dealer, in: context, options: options)
        try slow.connect("inproc://router")
        options.routingID = [UInt8]("quick")
        let quick = try Socket(.dealer, in: context, options: options)
        try quick.connect("inproc://router")
        // The router knows a peer once it has looked at its queue.
        #expect(try slow.send([[0]], waiting: true) == .sent)
        #expect(try quick.send([[0]], waiting: true) == .sent)
        #expect(try next(router) == .message([[UInt8]("slow"), [0]]))
        #expect(try next(router) == .message([[UInt8]("quick"), [0]]))

        #expect(try fill(router, with: [[UInt8]("slow"), [1]]) == 6)
        #expect(try router.send([[UInt8]("quick"), [2]], waiting: false) == .sent)
        #expect(try next(quick) == .message([[2]]))
    }

    @Test func `large frames count until the peer has them`() throws {
        let ends = try Ends(queueing: 5)
        let transit = Transit()
        let large = [UInt8](repeating: 7, count: Transit.countedFrom)
        let small = [UInt8](repeating: 7, count: Transit.countedFrom - 1)
        for count in 1...3 {
            #expect(try ends.left.send([small, large], waiting: false, counting: transit) == .sent)
            #expect(transit.bytes == count * large.count)
        }
        for count in (0..<3).reversed() {
            #expect(try next(ends.right) == .message([small, large]))
            #expect(transit.bytes == count * large.count)
        }
    }

    @Test func `a frame that nobody took does not count`() throws {
        let transit = Transit()
        let large = [UInt8](repeating: 7, count: Transit.countedFrom)
        do {
            let ends = try Ends(queueing: 1)
            while try ends.left.send([large], waiting: false, counting: transit) == .sent {}
            let sent = transit.bytes
            #expect(try ends.left.send([large], waiting: false, counting: transit) == .full)
            #expect(transit.bytes == sent)
            #expect(sent > 0)
        }
        // The connection is gone, and with it what waited there.
        _ = try eventually("nothing is in transit") { transit.bytes == 0 ? true : nil }
    }

    /// Sends until the socket is full; how often that went well.
    private func fill(_ socket: borrowing Socket, with message: [[UInt8]]) throws -> Int {
        var sent = 0
        while sent < 1000, try socket.send(message, waiting: false) == .sent { sent += 1 }
        return sent
    }

    @Test func `a frame beyond the maximum size disconnects its sender`() throws {
        let context = try Context()
        var options = SocketOptions()
        options.maxMessageSize = 1000
        let router = try Socket(.router, in: context, options: options)
        try router.bind("tcp://127.0.0.1:*")
        let endpoint = try router.lastEndpoint
        let rude = try Socket(.dealer, in: context)
        try rude.connect(endpoint)
        #expect(try rude.send([[UInt8](repeating: 0, count: 1001)], waiting: true) == .sent)

        var polite = SocketOptions()
        polite.routingID = [UInt8]("polite")
        let dealer = try Socket(.dealer, in: context, options: polite)
        try dealer.connect(endpoint)
        #expect(try dealer.send([[UInt8](repeating: 0, count: 1000)], waiting: true) == .sent)
        guard case .message(let frames) = try next(router) else {
            Issue.record("nothing came")
            return
        }
        #expect(frames.first == [UInt8]("polite"))
    }
}
