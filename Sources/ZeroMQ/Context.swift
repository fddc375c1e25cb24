internal import CZeroMQ

/// What all sockets of a process share: libzmq's I/O thread and the names of inproc endpoints.
///
/// It may be shared between threads; sockets may not. Every socket keeps its context alive, so the
/// context ends with the last of them.
public final class Context: Sendable {
    // libzmq documents contexts as thread safe (zmq_ctx_new(3)), and the pointer never changes.
    nonisolated(unsafe) let pointer: UnsafeMutableRawPointer

    /// - Parameters:
    ///   - maxSockets: How many sockets may be open at once; libzmq's 1023 when nil.
    ///   - isForInproc: Saves the thread that tcp and ipc need.
    /// - Throws: When libzmq refuses the number, or the process has no descriptors left.
    public init(maxSockets: Int? = nil, isForInproc: Bool = false) throws(ZeroMQError) {
        guard let pointer = zmq_ctx_new() else { throw ZeroMQError.last("create a context") }
        self.pointer = pointer
        if isForInproc { zmq_ctx_set(pointer, ZMQ_IO_THREADS, 0) }
        guard let maxSockets else { return }
        guard zmq_ctx_set(pointer, ZMQ_MAX_SOCKETS, CInt(clamping: maxSockets)) == 0 else {
            throw ZeroMQError.last("allow \(maxSockets) sockets")
        }
    }

    deinit {
        // Every socket is closed by now, so this waits for those alone that linger.
        while zmq_ctx_term(pointer) != 0, zmq_errno() == EINTR {}
    }

    /// Makes every call on every socket fail from now on with an error that `isShutdown`; calls
    /// that are waiting on other threads end so too. It does not wait, and cannot be undone.
    public func shutdown() {
        zmq_ctx_shutdown(pointer)
    }
}
