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

    /// Introduces itself as a dealer of ZMTP 3.1, and waits until messages are taken.
    func introduce() throws {
        say([0xFF] + zeros(8) + [0x7F, 3, 1] + Array("NULL".utf8) + zeros(48))
        try hear(64)
        let properties = property("Socket-Type", "DEALER") + property("Identity", "")
        let ready = [5] + Array("READY".utf8) + properties
        say([4, UInt8(ready.count)] + ready)
        let head = try hear(2)
        try hear(Int(head[1]))
    }

    private func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }

    private func property(_ name: String, _ value: String) -> [UInt8] {
        [UInt8(name.utf8.count)] + Array(name.utf8)
            + [0, 0, 0, UInt8(value.utf8.count)] + Array(value.utf8)
    }

    /// Waits for so many bytes.
    @discardableResult
    private func hear(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard recv(socket, &bytes, count, CInt(MSG_WAITALL)) == count else {
            throw NeverHappened("the runner introduces itself")
        }
        return bytes
    }

    /// Says as much as the system takes at once.
    func sayWhatFits(_ bytes: [UInt8]) {
        _ = send(socket, bytes, bytes.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
    }

    /// Whether or not the peer still listens.
    func say(_ bytes: [UInt8]) { _ = send(socket, bytes, bytes.count, CInt(MSG_NOSIGNAL)) }
}
