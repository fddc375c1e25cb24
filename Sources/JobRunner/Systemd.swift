internal import Glibc
internal import JobCore
internal import Logging

/// What the runner tells systemd, where that has started it: that it takes jobs, that it stops, and
/// that it is alive.
///
/// Each is one datagram of lines to `$NOTIFY_SOCKET`, as sd_notify(3) has it. Without that variable
/// there is no such object, and nobody wakes for it.
final class Systemd {
    /// More than anybody watches with, so that no later sum overflows: a day, in ms.
    private static let longestWatchMs: Int64 = 86_400_000

    private let socket: CInt
    private let address: sockaddr_un
    private let addressLength: socklen_t
    private let log: Logger
    /// Silence for so long is taken for death, in ms; nil where nobody watches.
    private let watchMs: Int64?
    /// When the next sign of life is due; nil where nobody watches.
    private(set) var nextLook: Timestamp?
    private var lastTurn: UInt64?
    private var isStuck = false
    private var hasSaidStop = false

    /// Nil when nobody listens, or at an address that is none. `variable` gives the variables of
    /// the process.
    init?(_ log: Logger, variable: (String) -> String? = environmentVariable) {
        guard let name = variable("NOTIFY_SOCKET"), !name.isEmpty else { return nil }
        guard let (address, length) = unixAddress(name) else {
            log.warning("NOTIFY_SOCKET names no socket: \(name)")
            return nil
        }
        let flags = CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        socket = Glibc.socket(AF_UNIX, flags, 0)
        guard socket >= 0 else { return nil }
        (self.address, addressLength, self.log) = (address, length, log)
        let isOurs = variable("WATCHDOG_PID").map { $0 == String(getpid()) } ?? true
        let micros = variable("WATCHDOG_USEC").flatMap { Int64($0) } ?? 0
        watchMs = isOurs && micros > 0 ? min(max(micros / 1_000, 1), Self.longestWatchMs) : nil
        nextLook = watchMs.map { _ in Timestamp(rawValue: 0) }
    }

    deinit { close(socket) }

    /// The one word that systemd waits for, and which therefore waits for systemd.
    func sayReady(_ endpoints: [String]) {
        let words = "READY=1\nSTATUS=Takes jobs at \(endpoints.joined(separator: ", "))."
        if !send(words, flags: 0) {
            log.warning(
                "systemd cannot be told that jobs are taken.",
                metadata: ["errno": "\(errno)"]
            )
        }
    }

    func sayStopping() {
        guard !hasSaidStop else { return }
        hasSaidStop = true
        _ = send(
            "STOPPING=1\nSTATUS=Lets the running jobs end.",
            flags: CInt(MSG_DONTWAIT)
        )
    }

    /// Gives the sign of life when it is due, unless the writer is still at what it was at when the
    /// last one was: a runner that cannot write is not alive. To be called in every round of the
    /// broker's loop, for which the sign speaks as well.
    func look(at now: Timestamp, writerTurn: UInt64) {
        guard let watchMs, let due = nextLook, due <= now else { return }
        let isStuck = writerTurn == lastTurn && !isWaiting(writerTurn)
        if isStuck && !self.isStuck { log.error("A commit hangs; systemd is told nothing more.") }
        if !isStuck { _ = send("WATCHDOG=1", flags: CInt(MSG_DONTWAIT)) }
        (self.isStuck, lastTurn) = (isStuck, writerTurn)
        // Half the time, as sd_watchdog_enabled(3) advises; soon again, if it may just be slow.
        nextLook = now.adding(ms: max(1, isStuck ? watchMs / 8 : watchMs / 2))
    }

    private func send(_ words: String, flags: CInt) -> Bool {
        let bytes = Array(words.utf8)
        var address = address
        return withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    socket,
                    bytes,
                    bytes.count,
                    flags | CInt(MSG_NOSIGNAL),
                    $0,
                    addressLength
                ) == bytes.count
            }
        }
    }
}

/// A path, or `@` and a name without a file, which begins with a zero byte instead.
private func unixAddress(_ name: String) -> (sockaddr_un, socklen_t)? {
    guard name.hasPrefix("/") || name.hasPrefix("@") else { return nil }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(name.utf8)
    // The length tells where a name without a file ends; a path ends with a zero.
    if name.hasPrefix("@") { bytes[0] = 0 } else { bytes.append(0) }
    guard bytes.count <= MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let head = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
    return (address, socklen_t(head + bytes.count))
}

private func environmentVariable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}
