internal import Glibc
internal import JobCore
internal import ZeroMQ

/// The broker's sockets: where clients come in, and where the workers are.
///
/// Every connection is a descriptor, which the store, the jobs and the spool need as well. While
/// libzmq cannot accept who waits it spins at tcp, and at ipc ends the process (`ipc_listener.cpp`
/// in 4.3.4). So before the last descriptors are taken the endpoints close, those of tcp first: who
/// is in stays in, and others are refused by the kernel until somebody leaves.
struct Doors: ~Copyable {
    /// Descriptors that no client of tcp may take, and of which one of ipc may take a half: a few
    /// for each thread, and for those who come in before the door is closed. Of a process that may
    /// have few, a quarter.
    static let reserve: CInt = 256
    /// How soon closed endpoints are tried again, in ms.
    private static let closedMs: Int64 = 500

    let clients: Socket
    let workers: Socket
    let arrivals: Socket
    private let doors: [Door]
    private var closed: Set<String> = []
    /// When closed endpoints are tried again; nil while all are open.
    private(set) var nextTry: Timestamp?

    /// An endpoint of the clients' socket.
    struct Door {
        /// As it was bound.
        let endpoint: String
        let secretKey: SecretKey?

        fileprivate var isLocal: Bool { endpoint.hasPrefix("ipc://") }

        /// Descriptors in use at which it closes.
        fileprivate var mostDescriptors: CInt {
            var limit = rlimit()
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
            guard getrlimit(resource, &limit) == 0 else { return 0 }
            let most = CInt(clamping: limit.rlim_cur)
            return most - min(Doors.reserve, most / 4) / (isLocal ? 2 : 1)
        }
    }

    init(
        clients: consuming Socket,
        workers: consuming Socket,
        arrivals: consuming Socket,
        doors: [Door]
    ) {
        self.clients = clients
        self.workers = workers
        self.arrivals = arrivals
        self.doors = doors
    }

    /// What somebody should look at.
    var alarm: String? {
        guard nextTry != nil else { return nil }
        return "New clients are not let in: there are hardly any descriptors left."
    }

    /// To be called when something can be read from `arrivals`, and at `nextTry`.
    mutating func look(at now: Timestamp) throws(ZeroMQError) {
        while case .message = try arrivals.receive(limits: .unlimited, waiting: false) {}
        let isDue = nextTry.map { $0 <= now } ?? true
        let used = descriptorsInUse
        for door in doors {
            if used >= door.mostDescriptors {
                try shut(door)
            } else if isDue, closed.contains(door.endpoint) {
                open(door)
            }
        }
        if isDue { nextTry = closed.isEmpty ? nil : now.adding(ms: Self.closedMs) }
    }

    private mutating func shut(_ door: Door) throws(ZeroMQError) {
        guard closed.insert(door.endpoint).inserted else { return }
        try clients.unbind(door.endpoint)
    }

    private mutating func open(_ door: Door) {
        let mask = umask(0o077)  // The mode of an ipc socket follows it.
        defer { umask(mask) }
        do throws(ZeroMQError) {
            try clients.bind(door.endpoint, secretKey: door.secretKey)
            closed.remove(door.endpoint)
        } catch {
            // No descriptor for it, or somebody else listens there now: the next try may do.
        }
    }

    /// At least: a new descriptor is the lowest that is free (open(2)).
    private var descriptorsInUse: CInt {
        let probe = dup(STDERR_FILENO)
        guard probe >= 0 else { return errno == EBADF ? 0 : .max }
        close(probe)
        return probe
    }
}
