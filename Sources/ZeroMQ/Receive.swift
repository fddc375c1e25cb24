internal import CZeroMQ
internal import Glibc

/// How much of one message, over all its frames, a caller is ready to hold.
///
/// A router's routing id counts as a frame. The limits bound what is copied out of libzmq, which
/// has queued the whole message by then; `SocketOptions.maxMessageSize` bounds a frame on its way
/// in.
public struct MessageLimits: Equatable, Sendable {
    public var frames: Int
    public var bytes: Int

    /// For peers that are trusted, such as our own threads.
    public static let unlimited = MessageLimits(frames: .max, bytes: .max)

    public init(frames: Int, bytes: Int) {
        self.frames = frames
        self.bytes = bytes
    }
}

/// What a socket had to give.
public enum Received: Equatable, Sendable {
    /// All frames, in order; at least one.
    case message([[UInt8]])
    /// Nothing has arrived.
    case nothing
    /// A message beyond the limits was dropped. These are its frames before the first that did not
    /// fit, so that the sender can be answered; there may be none.
    case tooLarge([[UInt8]])
}

extension Socket {
    /// Takes the next message, whole.
    ///
    /// What does not fit the limits is read and dropped frame by frame, never kept, so that the
    /// next call begins at the next message.
    ///
    /// - Parameters:
    ///   - limits: What the caller is ready to hold of one message.
    ///   - waiting: Whether to wait for a message instead of answering `.nothing`.
    /// - Returns: One message, or what fitted of it, or nothing.
    /// - Throws: `isShutdown`, or `EFSM` for a `req` that has not sent its request.
    public func receive(limits: MessageLimits, waiting: Bool) throws(ZeroMQError) -> Received {
        var dropped = 0
        return try handle.receive(limits, waiting: waiting, dropping: nil, &dropped)
    }

    /// Takes the next message of a router, if there is one, but first drops those of one peer that
    /// stand before it. That is far cheaper than taking them.
    ///
    /// - Parameters:
    ///   - limits: What the caller is ready to hold of one message.
    ///   - peer: Its routing id.
    ///   - dropped: Goes up by the number of messages that were dropped, by 4 096 at most.
    /// - Returns: One message, or what fitted of it, or nothing.
    /// - Throws: `isShutdown`.
    public func receive(
        limits: MessageLimits,
        dropping peer: [UInt8],
        _ dropped: inout Int
    ) throws(ZeroMQError) -> Received {
        try handle.receive(limits, waiting: false, dropping: peer, &dropped)
    }
}

/// On the handle, for the optimizer of Swift 6.3 fails at this loop over a borrowed socket.
extension Handle {
    fileprivate func receive(
        _ limits: MessageLimits,
        waiting: Bool,
        dropping peer: [UInt8]?,
        _ dropped: inout Int
    ) throws(ZeroMQError) -> Received {
        var part = zmq_msg_t()
        zmq_msg_init(&part)
        defer { zmq_msg_close(&part) }
        guard try take(&part, flags: waiting ? 0 : ZMQ_DONTWAIT) else { return .nothing }
        if let peer, try !drop(&part, of: peer, &dropped) { return .nothing }
        sender = nil

        var frames: [[UInt8]] = []
        // One allocation for nearly every message: envelopes have up to five frames.
        frames.reserveCapacity(8)
        var room = limits.bytes
        var fits = true
        while true {
            let size = zmq_msg_size(&part)
            fits = fits && frames.count < limits.frames && size <= room
            if fits {
                frames.append([UInt8](copying: zmq_msg_data(&part), count: size))
                room -= size
            }
            guard zmq_msg_more(&part) != 0 else {
                return fits ? .message(frames) : .tooLarge(frames)
            }
            // The parts of a message arrive together (zmq_msg_recv(3)), so this one is there.
            guard try take(&part, flags: ZMQ_DONTWAIT) else {
                throw ZeroMQError.last("receive the rest of a message")
            }
            // The routing id itself has no properties after a poll (`router_t::xhas_in` in 4.3.4).
            if isGuarded, sender == nil {
                sender = zmq_msg_gets(&part, "User-Id").map { String(cString: $0) }
            }
        }
    }

    /// Replaces `part`, the first frame of a message, by that of the first message of another peer.
    ///
    /// - Returns: False when there is none.
    private func drop(
        _ part: inout zmq_msg_t,
        of peer: [UInt8],
        _ dropped: inout Int
    ) throws(ZeroMQError) -> Bool {
        for _ in 0..<4_096 {
            guard zmq_msg_size(&part) == peer.count,
                memcmp(zmq_msg_data(&part), peer, peer.count) == 0
            else { return true }
            while zmq_msg_more(&part) != 0 {
                guard try take(&part, flags: ZMQ_DONTWAIT) else {
                    throw ZeroMQError.last("drop the rest of a message")
                }
            }
            dropped += 1
            guard try take(&part, flags: ZMQ_DONTWAIT) else { return false }
        }
        return true
    }

    /// Replaces `part` by the next frame; false when there is none.
    private func take(_ part: inout zmq_msg_t, flags: CInt) throws(ZeroMQError) -> Bool {
        while zmq_msg_recv(&part, pointer, flags) < 0 {
            switch zmq_errno() {
            case EINTR: continue
            case EAGAIN: return false
            default: throw ZeroMQError.last("receive")
            }
        }
        return true
    }
}

extension [UInt8] {
    fileprivate init(copying start: UnsafeRawPointer?, count: Int) {
        // The initializer below would write to the empty array that all threads share.
        guard count > 0 else {
            self = []
            return
        }
        self.init(unsafeUninitializedCapacity: count) { buffer, initialized in
            UnsafeMutableRawBufferPointer(buffer)
                .copyMemory(from: UnsafeRawBufferPointer(start: start, count: count))
            initialized = count
        }
    }
}
