import Glibc
import Testing

/// Sends bytes straight to a local port, and hangs up.
func sendRaw(_ bytes: [UInt8], to port: UInt16) throws {
    let socket = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let connected = withUnsafePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, size) }
    }
    try #require(connected == 0)
    // The peer may hang up in the middle, and well it may.
    _ = send(socket, bytes, bytes.count, CInt(MSG_NOSIGNAL))
}
