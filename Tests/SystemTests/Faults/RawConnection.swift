import Glibc
import JobTesting

/// A tcp connection to a runner's port, for bytes that are no messages.
final class RawConnection {
    private let socket: CInt

    /// Without `waiting` it goes on although the runner has not taken the connection yet.
    init(to port: UInt16, waiting: Bool = true) throws {
        socket = try Loopback.connect(to: port, waiting: waiting)
    }

    deinit { close(socket) }

    /// Whether or not the peer still listens.
    func say(_ bytes: [UInt8]) { _ = send(socket, bytes, bytes.count, CInt(MSG_NOSIGNAL)) }
}
