import Glibc
import JobTesting
import Testing

@testable import JobRunner

/// What a worker believes of a process that a kernel may have done anything to.
@Suite struct FrameChannelTests {
    /// Another side of a channel that has written these bytes.
    private func withBytes(_ bytes: [UInt8], _ body: (FrameChannel, CInt) throws -> Void) throws {
        let (ours, others) = try FrameChannel.pair()
        defer { close(ours) }
        try #require(write(others, bytes, bytes.count) == bytes.count)
        try body(FrameChannel(descriptor: ours), others)
    }

    @Test func `a frame costs no more than has come of it`() throws {
        let before = try residentKilobytes(of: getpid())
        // One frame of 3 GiB, and three bytes of it.
        try withBytes([1, 0, 0, 0, 0, 0, 0, 0xC0, 1, 2, 3]) { channel, others in
            close(others)
            #expect(throws: FrameChannel.Closed.self) {
                try channel.receive(atMost: .max)
            }
        }
        #expect(try residentKilobytes(of: getpid()) - before < 1 << 20)
    }

    @Test func `a message beyond the bound is not waited for`() throws {
        // Two frames, of 4 and 5 bytes.
        let bytes: [UInt8] = [2, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0, 1, 2]
        try withBytes(bytes) { channel, others in
            defer { close(others) }
            #expect(throws: FrameChannel.Closed.self) { try channel.receive(atMost: 8) }
        }
        try withBytes(bytes + [3, 4, 5]) { channel, others in
            defer { close(others) }
            let frames = try channel.receive(atMost: 9)
            #expect(frames == [[1, 2, 3, 4], [1, 2, 3, 4, 5]])
        }
    }

    @Test func `large frames arrive whole`() throws {
        let (ours, others) = try FrameChannel.pair()
        defer { close(ours) }
        let frames = [1 << 20, 0, 5_000_000].map { count in
            (0..<count).map(UInt8.init(truncatingIfNeeded:))
        }
        let hasStarted = tryToStartThread("sender") {
            try? FrameChannel(descriptor: others).send(frames)
            close(others)
        }
        try #require(hasStarted)
        let heard = try FrameChannel(descriptor: ours).receive(atMost: 8 << 20)
        #expect(heard == frames)
    }
}
