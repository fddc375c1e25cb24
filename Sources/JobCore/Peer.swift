/// Who is at the other end of a connection, and what they may do.
public struct Peer: Hashable, Sendable {
    public var owner: Owner
    public var role: Role

    public init(owner: Owner, role: Role) {
        self.owner = owner
        self.role = role
    }

    /// Whoever comes through a socket of this machine that asks for no key.
    public static let local = Peer(owner: .local, role: .admin)
}

/// Whose a job is: the name of the client's key in the settings. Keys of jobs are unique per owner.
public struct Owner: RawRepresentable, Hashable, Sendable {
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }

    /// All clients without a key, and the spool.
    public static let local = Owner(rawValue: "")
}

/// Whom limits count as one client: who shows a key, over all connections, else a connection.
public enum Account: Hashable, Sendable {
    case owner(Owner)
    case connection(ClientID)
}

/// What somebody may do who shows a key. Each role may do what those before it may, but for
/// `worker`: it is no client.
public enum Role: String, CaseIterable, Comparable, Sendable {
    /// Run jobs of external kernels, and ask nothing.
    case worker
    /// Look at everything.
    case read
    /// Submit jobs, and change one's own.
    case submit
    /// Change everything.
    case admin

    public static func < (a: Role, b: Role) -> Bool { a.rank < b.rank }

    /// Whether who has it may run jobs of external kernels.
    public var mayRunJobs: Bool { self == .worker }

    private var rank: Int {
        switch self {
        case .worker: 0
        case .read: 1
        case .submit: 2
        case .admin: 3
        }
    }
}
