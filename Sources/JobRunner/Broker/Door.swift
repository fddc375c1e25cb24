internal import CLinux
internal import Glibc

/// One endpoint of the clients' socket, which can be shut without losing who is in: unbinding it
/// would end all connections that came in by it.
struct Door {
    /// Descriptors that no client of tcp may take: a few for each thread, and for those who come in
    /// before the door is shut. Of a process that may have few, a quarter. Clients of ipc, the
    /// operator's tools, may take three quarters of these.
    static var reserve: CInt { min(256, mostDescriptors / 4) }

    private static var mostDescriptors: CInt {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        return getrlimit(resource, &limit) == 0 ? CInt(clamping: limit.rlim_cur) : .max
    }

    private enum Kind {
        case tcp(listeners: [CInt])
        case ipc(path: String)
    }

    private let kind: Kind
    private(set) var isShut = false

    /// - Parameter endpoint: As it was bound; nil when it can be neither shut nor crowded.
    init?(_ endpoint: String) {
        if endpoint.hasPrefix("ipc://") {
            kind = .ipc(path: String(endpoint.dropFirst("ipc://".count)))
        } else if let port = endpoint.split(separator: ":").last.flatMap({ UInt16($0) }) {
            kind = .tcp(listeners: listeners(at: port))
        } else {
            return nil
        }
    }

    /// Descriptors in use at which it is shut.
    var mostInUse: CInt {
        let kept = if case .ipc = kind { Self.reserve / 4 } else { Self.reserve }
        return Self.mostDescriptors - kept
    }

    /// Nobody comes in any more: the kernel answers no calls to a tcp port and those that wait
    /// there are hung up on, and nobody finds the socket of ipc. To be called again while it is
    /// shut, for calls that were under way.
    mutating func shut() {
        switch kind {
        case .tcp(let listeners):
            for listener in listeners {
                if !isShut { clinux_ignore_calls(listener) }
                clinux_hang_up(listener)
            }
        case .ipc(let path):
            if !isShut { rename(path, Self.aside(path)) }
        }
        isShut = true
    }

    mutating func open() {
        guard isShut else { return }
        isShut = false
        switch kind {
        case .tcp(let listeners): for listener in listeners { clinux_hear_calls(listener) }
        case .ipc(let path): rename(Self.aside(path), path)
        }
    }

    private static func aside(_ path: String) -> String { path + ".shut" }
}

/// The descriptors of this process that listen at the port. libzmq does not tell them.
private func listeners(at port: UInt16) -> [CInt] {
    // Descriptors are given from the lowest on, and few were by now.
    (0..<4_096).filter { clinux_listening_port($0) == Int32(port) }
}
