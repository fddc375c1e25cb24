import Glibc
import Testing
import ZeroMQ

/// Threads that make their own sockets, and how their waiting ends.
@Suite struct ThreadTests {
    @Test func `a thread that makes its own socket answers`() throws {
        let context = try Context()
        let router = try Socket(.router, in: context)
        try router.bind("inproc://work")
        let worker = Run {
            let dealer = try Socket(.dealer, in: context)
            try dealer.connect("inproc://work")
            _ = try dealer.send([[UInt8]("ready")], waiting: true)
            return try dealer.receive(limits: .unlimited, waiting: true)
        }

        guard case .message(let frames) = try next(router) else {
            Issue.record("the worker said nothing")
            return
        }
        #expect(frames.dropFirst() == [[UInt8]("ready")])
        #expect(try router.send([frames[0], [42]], waiting: true) == .sent)
        #expect(try worker.result()?.get() == .message([[42]]))
    }

    @Test func `a shutdown ends a receive that waits`() throws {
        let context = try Context()
        let here = try Socket(.pair, in: context)
        try here.bind("inproc://pair")
        let there = Run {
            let socket = try Socket(.pair, in: context)
            try socket.connect("inproc://pair")
            _ = try socket.send([[]], waiting: true)
            return try socket.receive(limits: .unlimited, waiting: true)
        }
        #expect(try next(here) == .message([[]]))

        context.shutdown()

        let error = #expect(throws: ZeroMQError.self) { try there.result()?.get() }
        #expect(error?.isShutdown == true)
        let own = #expect(throws: ZeroMQError.self) { try here.send([[1]], waiting: false) }
        #expect(own?.isShutdown == true)
    }

    @Test func `a signal ends a poll but not a receive`() throws {
        var ignoring = sigaction()
        ignoring.__sigaction_handler.sa_handler = { _ in }
        try #require(sigaction(SIGUSR1, &ignoring, nil) == 0)
        let context = try Context()
        let here = try Socket(.pair, in: context)
        try here.bind("inproc://pair")
        let interrupted = Run {
            let socket = try Socket(.pair, in: context)
            try socket.connect("inproc://pair")
            // Tests run on threads that block every signal, and this one inherits that.
            var signals = sigset_t()
            sigaddset(&signals, SIGUSR1)
            pthread_sigmask(SIG_UNBLOCK, &signals, nil)
            let itself = withUnsafeBytes(of: pthread_self()) { [UInt8]($0) }
            _ = try socket.send([itself], waiting: true)
            var poll = PollSet()
            let index = poll.add(socket)
            try poll.wait(timeout: nil)
            _ = try socket.send([[poll.isReady(index) ? 1 : 0]], waiting: true)
            return try socket.receive(limits: .unlimited, waiting: true)
        }
        guard case .message(let first) = try next(here), first[0].count == 8 else {
            Issue.record("the thread said nothing")
            return
        }
        let thread = first[0].withUnsafeBytes { $0.loadUnaligned(as: pthread_t.self) }

        #expect(try signalling(thread, until: here) == .message([[0]]))
        // Now it receives, or is about to.
        for _ in 0..<100 { pthread_kill(thread, SIGUSR1) }
        #expect(try here.send([[42]], waiting: true) == .sent)
        #expect(try interrupted.result()?.get() == .message([[42]]))
    }

    /// Signals the thread again and again until a message comes, or the time is up.
    private func signalling(
        _ thread: pthread_t,
        until socket: borrowing Socket
    ) throws -> Received {
        let deadline = ContinuousClock.now + patience
        var poll = PollSet()
        let index = poll.add(socket)
        while !poll.isReady(index), ContinuousClock.now < deadline {
            pthread_kill(thread, SIGUSR1)
            try poll.wait(timeout: .milliseconds(1))
        }
        return try socket.receive(limits: .unlimited, waiting: false)
    }
}
