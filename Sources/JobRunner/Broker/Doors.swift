internal import Glibc
internal import JobCore
internal import ZeroMQ

/// The broker's sockets: where clients come in, and where the workers are.
///
/// Every connection is a descriptor, which the store, the jobs and the spool need as well. While
/// libzmq cannot accept who waits it spins at tcp, and at ipc ends the process (`ipc_listener.cpp`
/// in 4.3.4). So before the last descriptors are taken the doors are shut, those of tcp first,
/// until somebody leaves; who is in stays in.
struct Doors: ~Copyable {
    /// How soon doors that were shut are looked at again, in ms.
    private static let shutMs: Int64 = 500
    /// What is heard of arrivals in one look.
    private static let arrivalsARound = 64

    let clients: Socket
    let workers: Socket
    let arrivals: Socket
    var externals: ExternalDoor
    /// Where events can be had: those are sockets of the publisher's.
    let events: [String]
    private var doors: [Door]
    /// A descriptor to let go when there is no other: without one nobody can be hung up on.
    private var spare = newDescriptor()
    /// When doors that were shut are looked at again; nil while all are open.
    private(set) var nextTry: Timestamp?

    init(
        clients: consuming Socket,
        workers: consuming Socket,
        arrivals: consuming Socket,
        externals: consuming ExternalDoor,
        events: [String] = [],
        doors: [Door]
    ) {
        self.clients = clients
        self.workers = workers
        self.arrivals = arrivals
        self.externals = externals
        self.events = events
        self.doors = doors
    }

    deinit { close(spare) }

    /// What somebody should look at.
    var alarm: String? {
        guard nextTry != nil else { return nil }
        return "New clients are not let in: there are hardly any descriptors left."
    }

    /// To be called when something can be read from `arrivals` or those of external workers, when a
    /// subscriber has come, and at `nextTry`.
    mutating func look(at now: Timestamp) throws(ZeroMQError) {
        // While libzmq spins it tells of each try: there is no end to what it says.
        try Self.hear(arrivals)
        if let sockets = externals.sockets { try Self.hear(sockets.arrivals) }
        let isDue = nextTry.map { $0 <= now } ?? true
        let used = descriptorsInUse
        close(spare)
        defer { spare = newDescriptor() }
        for index in doors.indices {
            if used >= doors[index].mostInUse {
                doors[index].shut()
            } else if isDue {
                doors[index].open()
            }
        }
        if isDue { nextTry = doors.contains(where: \.isShut) ? now.adding(ms: Self.shutMs) : nil }
    }

    private static func hear(_ arrivals: borrowing Socket) throws(ZeroMQError) {
        for _ in 0..<arrivalsARound {
            guard case .message = try arrivals.receive(limits: .unlimited, waiting: false) else {
                return
            }
        }
    }

    /// All doors as they were, for libzmq to close them.
    mutating func open() {
        for index in doors.indices { doors[index].open() }
    }

    /// At least: a new descriptor is the lowest that is free (open(2)).
    private var descriptorsInUse: CInt {
        let probe = newDescriptor()
        guard probe >= 0 else { return errno == EBADF ? 0 : .max }
        close(probe)
        return probe
    }
}

/// Of nothing in particular, and of no process that is started here.
private func newDescriptor() -> CInt { fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0) }
