internal import Glibc

/// Whether an endpoint can be bound without harm to another program.
func checkIsFree(_ endpoint: String) throws(RunnerError) {
    guard isTaken(endpoint) else { return }
    throw .endpoint(endpoint, reason: "another program listens there")
}

/// Whether somebody listens on the socket of an ipc endpoint. Binding it would succeed, and cut off
/// whoever was there before: libzmq unlinks the path first.
private func isTaken(_ endpoint: String) -> Bool {
    guard endpoint.hasPrefix("ipc://") else { return false }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = Array(endpoint.dropFirst("ipc://".count).utf8)
    guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }

    let probe = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard probe >= 0 else { return false }
    defer { close(probe) }
    return withUnsafePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(probe, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
        }
    }
}
