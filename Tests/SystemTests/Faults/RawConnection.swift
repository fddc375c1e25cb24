import Glibc
import Testing

/// A tcp connection to a runner's port, for bytes that are no messages.
final class RawConnection {
    private let socket: CInt

    /// - Parameter waiting: False to go on although the peer has not taken it yet.
    init(to port: UInt16, waiting: Bool = true) throws {
        let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        socket = Glibc.socket(AF_INET, waiting ? kind : kind | CInt(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let connected = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, size) }
        }
        try #require(connected == 0 || !waiting && errno == EINPROGRESS)
    }

    deinit { close(socket) }

    /// Whether or not the peer still listens.
    func say(_ bytes: [UInt8]) { _ = send(socket, bytes, bytes.count, CInt(MSG_NOSIGNAL)) }
}
