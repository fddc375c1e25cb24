internal import Glibc

/// Messages of frames between a worker and its kernel process, over a pair of stream sockets.
///
/// A message is the number of its frames, then each frame's length and bytes; numbers have 32 bits.
struct FrameChannel {
    /// The other side is gone, or says what is no message.
    struct Closed: Error {}

    /// Who looks around while a channel waits.
    struct Lookout {
        /// Readable when there is something to look at.
        let descriptor: CInt
        /// Called before each wait.
        ///
        /// - Returns: After how many ms it wants to be called again at the latest, if at all.
        let look: () -> Int?
    }

    /// More than any message has; a count is looked at before it is believed.
    private static let framesMax = 1 << 20
    /// A frame costs so many bytes of memory at first, then twice as much as has come of it.
    private static let frameBytes = 1 << 20

    let descriptor: CInt

    /// Two connected ends.
    static func pair() throws(SystemError) -> (CInt, CInt) {
        var ends: [CInt] = [-1, -1]
        let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw .last("make a pair of sockets")
        }
        return (ends[0], ends[1])
    }

    /// Sends a message; the lookout must not send anything itself.
    func send(_ frames: [[UInt8]], _ lookout: Lookout? = nil) throws(Closed) {
        var bytes = frames.count <= Self.framesMax ? word(frames.count) : []
        for frame in frames { bytes += word(frame.count) + frame }
        var sent = 0
        while sent < bytes.count {
            let flags = CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT)
            let count = bytes.withUnsafeBytes { bytes in
                Glibc.send(
                    descriptor,
                    bytes.baseAddress.map { $0 + sent },
                    bytes.count - sent,
                    flags
                )
            }
            if count > 0 { sent += count } else { try pause(for: POLLOUT, lookout) }
        }
    }

    /// Waits for a message. One whose frames have more than `most` bytes together is none.
    func receive(atMost most: Int, _ lookout: Lookout? = nil) throws(Closed) -> [[UInt8]] {
        let count = try number(lookout)
        guard count <= Self.framesMax else { throw Closed() }
        var room = most
        var frames: [[UInt8]] = []
        for _ in 0..<count {
            let size = try number(lookout)
            guard size <= room else { throw Closed() }
            room -= size
            frames.append(try bytes(size, lookout))
        }
        return frames
    }

    private func number(_ lookout: Lookout?) throws(Closed) -> Int {
        try bytes(4, lookout).reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    private func bytes(_ count: Int, _ lookout: Lookout?) throws(Closed) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: min(count, Self.frameBytes))
        var done = 0
        while done < count {
            if done == bytes.count {
                bytes += [UInt8](repeating: 0, count: min(done, count - done))
            }
            let read = bytes.withUnsafeMutableBytes { bytes in
                recv(
                    descriptor,
                    bytes.baseAddress.map { $0 + done },
                    bytes.count - done,
                    CInt(MSG_DONTWAIT)
                )
            }
            if read == 0 { throw Closed() }
            if read > 0 { done += read } else { try pause(for: POLLIN, lookout) }
        }
        return bytes
    }

    /// After a call that has done nothing: waits, unless it has failed for good.
    private func pause(for event: CInt, _ lookout: Lookout?) throws(Closed) {
        guard errno == EAGAIN || errno == EINTR else { throw Closed() }
        let ms = lookout.flatMap { $0.look() } ?? -1
        // A negative descriptor is passed over.
        var items = [
            pollfd(fd: descriptor, events: Int16(event), revents: 0),
            pollfd(fd: lookout?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&items, nfds_t(items.count), CInt(clamping: ms))
    }

    private func word(_ number: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
}
