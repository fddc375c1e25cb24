import Glibc
import Testing
import ZeroMQ

/// A poll wakes for what is ready and names just that.
@Suite struct PollSetTests {
    @Test func `a poll wakes for a socket`() throws {
        let ends = try Ends()
        var poll = PollSet()
        let left = poll.add(ends.left)
        let right = poll.add(ends.right)
        #expect(try ends.left.send([[1]], waiting: false) == .sent)

        try poll.wait(timeout: nil)
        #expect(!poll.isReady(left))
        #expect(poll.isReady(right))

        _ = try ends.right.receive(limits: .unlimited, waiting: false)
        try poll.wait(timeout: .zero)
        #expect(!poll.isReady(right))
    }

    @Test func `a poll wakes for a file descriptor and for its other end closing`() throws {
        let ends = try Ends()
        var pipe: [CInt] = [-1, -1]
        try #require(Glibc.pipe(&pipe) == 0)
        defer { close(pipe[0]) }
        var poll = PollSet()
        let socket = poll.add(ends.left)
        let descriptor = poll.add(fileDescriptor: pipe[0])

        var byte: UInt8 = 7
        #expect(write(pipe[1], &byte, 1) == 1)
        try poll.wait(timeout: nil)
        #expect(poll.isReady(descriptor))
        #expect(!poll.isReady(socket))

        #expect(read(pipe[0], &byte, 1) == 1)
        try poll.wait(timeout: .zero)
        #expect(!poll.isReady(descriptor))

        close(pipe[1])
        try poll.wait(timeout: nil)
        #expect(poll.isReady(descriptor))
    }

    @Test func `a poll in vain ends with nothing ready`() throws {
        let ends = try Ends()
        var poll = PollSet()
        let left = poll.add(ends.left)
        for timeout in [Duration.zero, .nanoseconds(1), .seconds(-1)] {
            try poll.wait(timeout: timeout)
            #expect(!poll.isReady(left))
        }
    }

    @Test func `a poll of a descriptor that is not open names it`() throws {
        var poll = PollSet()
        let broken = poll.add(fileDescriptor: 1 << 20)
        try poll.wait(timeout: patience)
        #expect(poll.isReady(broken))
    }

    @Test func `a set keeps its sockets open`() throws {
        var poll = PollSet()
        func addOne() throws -> PollSet.Index {
            let socket = try Socket(.pair, in: Context())
            return poll.add(socket)
        }
        let index = try addOne()
        try poll.wait(timeout: .zero)
        #expect(!poll.isReady(index))
    }
}
