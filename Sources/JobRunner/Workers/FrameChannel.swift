internal import Glibc

/// Messages of frames between a worker and its kernel process, over a pair of stream sockets.
///
/// A message is the number of its frames, then each frame's length and bytes; numbers have 32 bits.
struct FrameChannel {
    /// The other side is gone, or says what is no message.
    struct Closed: Error {}

    /// How often whoever looks around while waiting does so, in ms.
    private static let lookMs: CInt = 10
    /// More than any message has; a count is looked at before it is believed.
    private static let framesMax = 1 << 20

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

    /// Sends a message; `look` is called again and again while nothing can be written, and must not
    /// send anything itself.
    func send(_ frames: [[UInt8]], _ look: (() -> Void)? = nil) throws(Closed) {
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
            if count > 0 { sent += count } else { try pause(for: POLLOUT, look) }
        }
    }

    /// Waits for a message; `look` is called again and again while nothing comes.
    func receive(_ look: (() -> Void)? = nil) throws(Closed) -> [[UInt8]] {
        let count = try number(look)
        guard count <= Self.framesMax else { throw Closed() }
        var frames: [[UInt8]] = []
        for _ in 0..<count { frames.append(try bytes(number(look), look)) }
        return frames
    }

    private func number(_ look: (() -> Void)?) throws(Closed) -> Int {
        try bytes(4, look).reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    private func bytes(_ count: Int, _ look: (() -> Void)?) throws(Closed) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let read = bytes.withUnsafeMutableBytes { bytes in
                recv(
                    descriptor,
                    bytes.baseAddress.map { $0 + done },
                    count - done,
                    CInt(MSG_DONTWAIT)
                )
            }
            if read == 0 { throw Closed() }
            if read > 0 { done += read } else { try pause(for: POLLIN, look) }
        }
        return bytes
    }

    /// After a call that has done nothing: waits, unless it has failed for good.
    private func pause(for event: CInt, _ look: (() -> Void)?) throws(Closed) {
        guard errno == EAGAIN || errno == EINTR else { throw Closed() }
        var item = pollfd(fd: descriptor, events: Int16(event), revents: 0)
        _ = poll(&item, 1, look == nil ? -1 : Self.lookMs)
        look?()
    }

    private func word(_ number: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
}
