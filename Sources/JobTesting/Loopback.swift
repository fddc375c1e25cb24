internal import Glibc
internal import Synchronization

/// Sockets on this machine's own address, for tests that need a port or speak bytes to one.
public enum Loopback {
    /// A port below those that the system gives to outgoing connections.
    static func freePort() throws -> UInt16 {
        try eventually("a port is free") {
            let port = UInt16.random(in: 15_000..<32_000)
            guard takenPorts.withLock({ $0.insert(port).inserted }) else { return nil }
            let probe = stream()
            defer { close(probe) }
            return withAddress(of: port) { bind(probe, $0, $1) } == 0 ? port : nil
        }
    }

    /// Connects to the port; without `waiting` it goes on although the peer has not taken the
    /// connection yet.
    ///
    /// - Returns: A descriptor, which the caller closes.
    public static func connect(to port: UInt16, waiting: Bool = true) throws -> CInt {
        let connection = stream(waiting: waiting)
        let failed = withAddress(of: port) { Glibc.connect(connection, $0, $1) }
        guard failed == 0 || !waiting && errno == EINPROGRESS else {
            close(connection)
            throw NeverHappened("port \(port) takes a connection")
        }
        return connection
    }

    private static func stream(waiting: Bool = true) -> CInt {
        let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        return socket(AF_INET, waiting ? kind : kind | CInt(SOCK_NONBLOCK.rawValue), 0)
    }

    private static func withAddress(
        of port: UInt16,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) -> CInt {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// Ports of other runners of this test run, which may not have bound them yet.
private let takenPorts = Mutex(Set<UInt16>())
