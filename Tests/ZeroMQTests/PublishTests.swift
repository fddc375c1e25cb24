import Testing
import ZeroMQ

/// Who has subscribed hears, who does not listen is left out, and nobody waits.
@Suite struct PublishTests {
    private func publisher(_ context: Context, highWaterMark: Int) throws -> Socket {
        var options = SocketOptions()
        options.sendHighWaterMark = highWaterMark
        let socket = try Socket(.xpub, in: context, options: options)
        try socket.bind("inproc://events")
        return socket
    }

    private func subscriber(
        _ context: Context,
        to topic: String,
        highWaterMark: Int
    ) throws -> Socket {
        var options = SocketOptions()
        options.receiveHighWaterMark = highWaterMark
        let socket = try Socket(.sub, in: context, options: options)
        try socket.connect("inproc://events")
        try socket.subscribe(Array(topic.utf8))
        return socket
    }

    @Test func `a topic is subscribed to by its beginning, and the publisher hears of it`() throws {
        let context = try Context()
        let publisher = try publisher(context, highWaterMark: 10)
        #expect(try publisher.publish([Array("job.0".utf8), [0]]))
        let subscriber = try subscriber(context, to: "job.", highWaterMark: 10)
        #expect(try next(publisher) == .message([[1] + Array("job.".utf8)]))
        #expect(try publisher.publish([Array("queue.1".utf8), [1]]))
        #expect(try publisher.publish([Array("job.2".utf8), [2]]))
        #expect(try next(subscriber) == .message([Array("job.2".utf8), [2]]))
    }

    @Test func `who does not listen misses what is too much, and all others hear it`() throws {
        let context = try Context()
        let publisher = try publisher(context, highWaterMark: 4)
        let deaf = try subscriber(context, to: "", highWaterMark: 4)
        let listener = try subscriber(context, to: "job", highWaterMark: 1_000)
        for topic in ["", "job"] {
            #expect(try next(publisher) == .message([[1] + Array(topic.utf8)]))
        }
        var missed = 0
        for number in 0..<100 as Range<UInt8> {
            if try !publisher.publish([Array("job".utf8), [number]]) { missed += 1 }
            #expect(try next(listener) == .message([Array("job".utf8), [number]]))
        }
        #expect(missed > 0)
        var heard: [UInt8] = []
        while case .message(let frames) = try deaf.receive(limits: .unlimited, waiting: false) {
            heard += frames[1]
        }
        // Room for what both ends may hold (zmq_setsockopt(3): inproc adds the two marks).
        #expect(heard == Array(0..<8))
        // It has caught up, of which libzmq hears when it is asked for events, and hears again.
        var poll = PollSet()
        _ = poll.add(publisher)
        try poll.wait(timeout: .zero)
        #expect(try publisher.publish([Array("job".utf8), [100]]))
        #expect(try next(deaf) == .message([Array("job".utf8), [100]]))
    }
}
