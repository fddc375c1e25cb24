internal import CZeroMQ

/// A call into libzmq failed.
public struct ZeroMQError: Error, Equatable, Sendable {
    /// `errno` of the call, e.g. `EADDRINUSE`, or one of libzmq's own numbers, e.g. `ETERM`.
    public let code: CInt
    /// What was tried, as an infinitive: "bind tcp://127.0.0.1:5555".
    public let action: String

    /// What libzmq calls the error: "Address already in use".
    public var reason: String { String(cString: zmq_strerror(code)) }

    /// True when the context was shut down: the thread shall drop its sockets and end.
    public var isShutdown: Bool { code == ETERM }

    /// The error of the libzmq call that failed just before, on this thread.
    static func last(_ action: String) -> ZeroMQError {
        ZeroMQError(code: zmq_errno(), action: action)
    }
}

extension ZeroMQError: CustomStringConvertible {
    public var description: String {
        "cannot \(action): \(reason)"
    }
}
