internal import CZeroMQ

/// What became of a message that was to be sent.
public enum SendOutcome: Equatable, Sendable {
    /// libzmq has it. It is still lost if the peer goes before reading it.
    case sent
    /// Nothing was sent: as many messages wait as the high-water mark allows, or no peer is there.
    case full
    /// Nothing was sent: the router knows no such peer, or the peer of a pair just left.
    case unreachable
}

extension Socket {
    /// Sends all frames as one message, or none of them.
    ///
    /// libzmq decides at the first frame (`router_t::xsend`, `lb_t::sendpipe` in 4.3.4): high-water
    /// marks count whole messages, and a router looks its peer up by that frame. When the peer goes
    /// in the middle, libzmq takes back what it had, drops the rest, and calls it sent.
    ///
    /// - Parameters:
    ///   - message: At least one frame. A router needs two, the first being the peer's routing id;
    ///     libzmq silently drops a lone one.
    ///   - waiting: Whether to wait for room instead of answering `.full`.
    ///   - transit: Counts the large frames until libzmq has passed them on.
    /// - Returns: Whether libzmq took the message, or why it took none of it.
    /// - Throws: `isShutdown`, or `EFSM` for a `req` whose reply was not received yet.
    public func send(
        _ message: [[UInt8]],
        waiting: Bool,
        counting transit: Transit? = nil
    ) throws(ZeroMQError) -> SendOutcome {
        precondition(!message.isEmpty, "a message has at least one frame")
        let last = message.count - 1
        for (index, frame) in message.enumerated() {
            let mayWait = index == 0 ? waiting : kind.dropsRest
            let flags = (mayWait ? 0 : ZMQ_DONTWAIT) | (index < last ? ZMQ_SNDMORE : 0)
            var error = put(frame, flags, transit)
            if index == 0, error == EAGAIN, catchUp() { error = put(frame, flags, transit) }
            switch error {
            case 0: continue
            case EAGAIN: return index == 0 ? .full : .unreachable
            case EHOSTUNREACH: return .unreachable
            default:
                let action = "send frame \(index + 1) of \(message.count)"
                throw ZeroMQError(code: error, action: action)
            }
        }
        return .sent
    }

    /// Sends to everybody who has subscribed to the first frame, the topic, and waits for nobody.
    ///
    /// - Returns: False when a subscriber had as many messages waiting as the high-water mark
    ///   allows. It misses this one, and, without being told of again, those that come before it
    ///   has read half of what waits (`dist_t::write` in 4.3.4); all others have it.
    /// - Throws: `isShutdown`.
    public func publish(_ message: [[UInt8]]) throws(ZeroMQError) -> Bool {
        precondition(kind == .xpub, "only an xpub publishes")
        if try send(message, waiting: false) == .sent { return true }
        try leaveOutWhoIsFull(true)
        _ = try send(message, waiting: false)
        try leaveOutWhoIsFull(false)
        return false
    }

    /// - Returns: 0, or why libzmq refused the frame.
    private func put(_ frame: [UInt8], _ flags: CInt, _ transit: Transit?) -> CInt {
        if let transit, frame.count >= Transit.countedFrom {
            return put(frame, flags, counting: transit)
        }
        return frame.withUnsafeBytes { bytes in
            // An interrupted call has taken nothing: it looks for commands before it sends.
            repeat {
                if zmq_send(handle.pointer, bytes.baseAddress, bytes.count, flags) >= 0 { return 0 }
            } while zmq_errno() == EINTR
            return zmq_errno()
        }
    }

    private func put(_ frame: [UInt8], _ flags: CInt, counting transit: Transit) -> CInt {
        var message = zmq_msg_t()
        guard Cargo.load(frame, into: &message, counting: transit) else { return zmq_errno() }
        repeat {
            if zmq_msg_send(&message, handle.pointer, flags) >= 0 { return 0 }
        } while zmq_errno() == EINTR
        defer { zmq_msg_close(&message) }
        return zmq_errno()
    }

    /// Makes libzmq hear what peers have read since, for it looks only once in about a millisecond
    /// while sending (`process_commands` in `socket_base.cpp`) and would call a peer full that has
    /// long caught up. Asking for events looks at once.
    private func catchUp() -> Bool {
        var events: CInt = 0
        var size = MemoryLayout<CInt>.size
        repeat {
            if zmq_getsockopt(handle.pointer, ZMQ_EVENTS, &events, &size) == 0 { return true }
        } while zmq_errno() == EINTR
        return false
    }
}

extension Socket.Kind {
    /// Whether libzmq itself drops the rest of a message whose peer went in the middle of it.
    ///
    /// If so, later frames never wait, and must not say `ZMQ_DONTWAIT`: a dealer would then report
    /// the loss, yet go on dropping until it sees a last frame, be it the next message's. A pair
    /// would wait for a new peer and send it half a message, so it must say so.
    fileprivate var dropsRest: Bool { self != .pair }
}
