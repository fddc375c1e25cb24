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

/// What a client may do; each role may do what those before it may.
public enum Role: String, CaseIterable, Comparable, Sendable {
    /// Look at everything.
    case read
    /// Submit jobs, and change one's own.
    case submit
    /// Change everything.
    case admin

    public static func < (a: Role, b: Role) -> Bool { a.rank < b.rank }

    private var rank: Int {
        switch self {
        case .read: 0
        case .submit: 1
        case .admin: 2
        }
    }
}
