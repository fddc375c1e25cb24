internal import Glibc
internal import JobCore
internal import ZeroMQ

/// The broker's sockets: where clients come in, and where the workers are.
///
/// Every connection is a descriptor, which the store, the jobs and the spool need as well, and
/// libzmq spins while it cannot accept who waits. So before the last descriptors are taken the
/// endpoints of tcp close: who is in stays in, and others are refused by the kernel until somebody
/// leaves. Endpoints of ipc stay open, for the operator.
struct Doors: ~Copyable {
    /// Descriptors that no client of tcp may take: a few for each thread, and for the operator. Of
    /// a process that may have few, a quarter.
    static let reserve: CInt = 128
    /// How soon closed endpoints are tried again, in ms.
    private static let closedMs: Int64 = 500

    let clients: Socket
    let workers: Socket
    let arrivals: Socket
    private let endpoints: [String]
    private let secretKey: SecretKey?
    private let mostDescriptors: CInt
    private var closed: [String] = []
    /// When closed endpoints are tried again; nil while all are open.
    private(set) var nextTry: Timestamp?

    /// `endpoints` are those of `clients` that may close, bound with `secretKey`.
    init(
        clients: consuming Socket,
        workers: consuming Socket,
        arrivals: consuming Socket,
        endpoints: [String],
        secretKey: SecretKey?
    ) {
        self.clients = clients
        self.workers = workers
        self.arrivals = arrivals
        self.endpoints = endpoints
        self.secretKey = secretKey
        mostDescriptors = Self.mostDescriptors()
    }

    private static func mostDescriptors() -> CInt {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        let most = CInt(clamping: limit.rlim_cur)
        return most - min(reserve, most / 4)
    }

    /// What somebody should look at.
    var alarm: String? {
        guard nextTry != nil else { return nil }
        return "New clients are not let in by tcp: \(mostDescriptors) descriptors are in use."
    }

    /// To be called when something can be read from `arrivals`, and at `nextTry`.
    mutating func look(at now: Timestamp) throws(ZeroMQError) {
        while case .message = try arrivals.receive(limits: .unlimited, waiting: false) {}
        if isCrowded {
            for endpoint in endpoints where !closed.contains(endpoint) {
                try clients.unbind(endpoint)
                closed.append(endpoint)
            }
            nextTry = now.adding(ms: Self.closedMs)
        } else if let time = nextTry, time <= now {
            open()
            nextTry = closed.isEmpty ? nil : now.adding(ms: Self.closedMs)
        }
    }

    private mutating func open() {
        closed.removeAll { endpoint in
            do throws(ZeroMQError) {
                try clients.bind(endpoint, secretKey: secretKey)
                return true
            } catch {
                return false  // No descriptor for it, or somebody else listens there now.
            }
        }
    }

    /// A new descriptor is the lowest that is free (open(2)): so many are in use at least.
    private var isCrowded: Bool {
        let probe = dup(STDERR_FILENO)
        guard probe >= 0 else { return errno != EBADF }
        close(probe)
        return probe >= mostDescriptors
    }
}
