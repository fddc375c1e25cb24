internal import CZeroMQ

/// Waits until one of several sockets or file descriptors has something to read.
///
/// It belongs to the thread of its sockets, and keeps them open: a socket closes when both it and
/// the set are gone. A descriptor stays the caller's, who must not close it while the set is used.
public struct PollSet {
    /// Names a member of the set that gave it.
    public struct Index: Sendable {
        fileprivate let position: Int
    }

    private var items: [zmq_pollitem_t] = []
    private var handles: [Handle] = []

    public init() {}

    public mutating func add(_ socket: borrowing Socket) -> Index {
        handles.append(socket.handle)
        return add(
            zmq_pollitem_t(socket: socket.handle.pointer, fd: -1, events: readable, revents: 0)
        )
    }

    /// Adds what the kernel can poll: a signalfd, an eventfd, inotify, a pipe.
    public mutating func add(fileDescriptor: CInt) -> Index {
        add(zmq_pollitem_t(socket: nil, fd: fileDescriptor, events: readable, revents: 0))
    }

    private mutating func add(_ item: zmq_pollitem_t) -> Index {
        items.append(item)
        return Index(position: items.count - 1)
    }

    /// Returns when something is ready or the time is up. A signal also ends it, with nothing
    /// ready.
    ///
    /// - Parameter timeout: Rounded up to milliseconds, 24 days at most; nil waits for ever.
    /// - Throws: `isShutdown`, or what poll(2) says.
    public mutating func wait(timeout: Duration?) throws(ZeroMQError) {
        let milliseconds = timeout.map { Int($0.wholeMilliseconds) } ?? -1
        guard zmq_poll(&items, CInt(items.count), milliseconds) < 0 else { return }
        let error = ZeroMQError.last("poll")
        // libzmq leaves the answers of the poll before.
        for position in items.indices { items[position].revents = 0 }
        guard error.code == EINTR else { throw error }
    }

    /// Whether the last wait found something to read, or found the descriptor broken or closed at
    /// the other end, which reading will tell. Stays so until the next wait.
    public func isReady(_ index: Index) -> Bool {
        items[index.position].revents != 0
    }
}

private let readable = CShort(ZMQ_POLLIN)
