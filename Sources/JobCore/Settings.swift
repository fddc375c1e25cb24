/// What whoever starts a runner may choose. Read once, at the start.
///
/// Relative paths of the socket, the spool and databases begin at the state directory.
public struct Settings: Equatable, Sendable {
    /// Holds the store, the lock and the socket. `~` is the user's home.
    public var stateDirectory = "~/.local/state/millrace"
    /// ZeroMQ endpoints: ipc, and tcp, which must be loopback when there is no `curve`.
    public var listen = ["ipc://run/millrace.sock", "tcp://127.0.0.1:5555"]
    /// ZeroMQ endpoints at which events can be had, likewise; none turns them off.
    public var events = ["ipc://run/events.sock"]
    /// ZeroMQ endpoints where external workers come in, likewise; none turns them off.
    public var workerListen: [String] = []
    /// Kernels whose jobs those workers run.
    public var externalKernels: [String] = []
    /// Where files with jobs are dropped.
    public var spoolDirectory = "jobs"
    /// Worker threads. 1...256.
    public var workers: Int
    /// Whether one more worker takes short jobs while long ones hold all others.
    public var express = true
    /// By how much workers give way to other programs. 0...19.
    public var nice = 19
    /// How long a stop waits for running jobs, in ms. Up to ten minutes.
    public var drainMs: Int64 = 10_000
    /// How long after its time-out a worker may stay deaf before it is given up, in ms. 100 ms to
    /// an hour.
    public var stuckMs: Int64 = 10_000
    /// Whether each worker computes in a process of its own, so that a kernel that ends it ends
    /// nobody else.
    public var kernelProcesses = false
    /// Bytes of memory that such a process may map, 256 MiB to 1 TiB.
    public var kernelMemoryBytes: Int64 = 4 << 30
    /// The databases that jobs may use, by the names jobs give them.
    public var databases: [String: Database] = [:]
    /// The programs that jobs may run. None, unless somebody wants it.
    public var commands = Programs()
    /// Bytes of memory that each process of a command may map, 16 MiB to 1 TiB.
    public var commandMemoryBytes: Int64 = 4 << 30
    /// Who may come in by tcp. Without it tcp is for loopback, where it trusts every local user.
    public var curve: Curve?
    /// How long jobs are kept that have ended.
    public var retention = Retention()
    public var limits = Limits()

    /// The keys of the runner and its clients: every tcp endpoint asks for them.
    public struct Curve: Equatable, Sendable {
        /// Holds the runner's secret key; its owner's alone, and made by `millrace keygen`.
        public var secretKeyFile: String
        /// By the names under which their jobs are kept.
        public var clients: [String: Client]

        public init(secretKeyFile: String, clients: [String: Client] = [:]) {
            self.secretKeyFile = secretKeyFile
            self.clients = clients
        }
    }

    /// Somebody who may come in.
    public struct Client: Equatable, Sendable {
        /// 32 bytes.
        public var publicKey: [UInt8]
        public var role: Role

        public init(publicKey: [UInt8], role: Role) {
            self.publicKey = publicKey
            self.role = role
        }
    }

    /// One database of the user's. Jobs name it and never its path.
    public struct Database: Equatable, Sendable {
        public var path: String
        public var allowsWriting: Bool
        /// Whether SQLite enforces foreign keys in it, which it does not unless told.
        public var enforcesForeignKeys: Bool
        public var trust: Trust

        public init(
            path: String,
            allowsWriting: Bool = false,
            enforcesForeignKeys: Bool = false,
            trust: Trust = .schemaUntrusted
        ) {
            self.path = path
            self.allowsWriting = allowsWriting
            self.enforcesForeignKeys = enforcesForeignKeys
            self.trust = trust
        }

        /// Whom the runner takes the file's tables, views and triggers to be from.
        public enum Trust: String, CaseIterable, Sendable {
            /// Only from people we trust: its views and triggers may use virtual tables, as those
            /// do that keep an FTS5 index in step.
            case full
            /// Anybody may have made them.
            case schemaUntrusted = "schema-untrusted"
        }
    }

    /// The defaults.
    ///
    /// - Parameter cores: Of this machine: one worker for each.
    public init(cores: Int) {
        workers = min(max(cores, Limits.workers.lowerBound), Limits.workers.upperBound)
    }

    /// The store of jobs.
    public var storePath: String { stateDirectory + "/millrace.db" }
}

extension Settings {
    public static let niceValues = 0...19
    public static let drains: ClosedRange<Int64> = 0...600_000
    public static let stucks: ClosedRange<Int64> = 100...3_600_000
    public static let kernelMemories: ClosedRange<Int64> = 268_435_456...1_099_511_627_776
    public static let commandMemories: ClosedRange<Int64> = 16_777_216...1_099_511_627_776

    /// All problems, in the order of the fields; empty when the settings can be used.
    public func problems() -> [String] {
        var found: [String] = []
        if stateDirectory.isEmpty { found.append("state must name a directory.") }
        if listen.isEmpty { found.append("listen must name at least one endpoint.") }
        found += listen.compactMap { Endpoint.problem($0, of: "listen", asksForKeys: curve != nil) }
        found += events.compactMap { Endpoint.problem($0, of: "events", asksForKeys: curve != nil) }
        found += workerListen.compactMap {
            Endpoint.problem($0, of: "worker_listen", asksForKeys: curve != nil)
        }
        // Binding a socket twice would succeed, and cut off whoever came first.
        found += events.filter { listen.contains($0) && !$0.hasSuffix(":*") }
            .map { "events: \($0) is one of listen; each needs an endpoint of its own." }
        found += workerListen.filter { (listen + events).contains($0) && !$0.hasSuffix(":*") }
            .map { "worker_listen: \($0) is one of listen or events; each needs its own." }
        found += externalProblems
        if spoolDirectory.isEmpty { found.append("spool must name a directory.") }

        func check<Value: Comparable>(_ name: String, _ value: Value, _ range: ClosedRange<Value>) {
            if range.contains(value) { return }
            found.append("\(name) must be \(range.lowerBound)...\(range.upperBound), not \(value).")
        }
        check("workers", workers, Limits.workers)
        check("nice", nice, Self.niceValues)
        check("drain_ms", drainMs, Self.drains)
        check("stuck_ms", stuckMs, Self.stucks)
        check("keep_succeeded_ms", retention.succeededMs, Retention.bounds)
        check("keep_failed_ms", retention.failedMs, Retention.bounds)
        check("kernel_memory_bytes", kernelMemoryBytes, Self.kernelMemories)
        check("command_memory_bytes", commandMemoryBytes, Self.commandMemories)
        for (name, database) in databases.sorted(by: { $0.key < $1.key }) {
            if QueueName(rawValue: name) == nil {
                found.append(
                    "The database name \"\(name)\" must be made of letters, digits, . _ and -."
                )
            }
            if database.path.isEmpty { found.append("The database \(name) has no path.") }
        }
        for (name, path) in commands.paths.sorted(by: { $0.key < $1.key }) {
            if QueueName(rawValue: name) == nil {
                found.append(
                    "The command name \"\(name)\" must be made of letters, digits, . _ and -."
                )
            }
            if path.isEmpty { found.append("The command \(name) has no path.") }
        }
        found += curve?.problems ?? []
        for limit in Limits.settable {
            check("limits.\(limit.name)", limit.get(limits), limit.range)
        }
        if limits.specBytes > limits.messageBytes {
            found.append("limits.spec_bytes must not exceed limits.message_bytes.")
        }
        return found
    }
}

extension Settings {
    fileprivate var externalProblems: [String] {
        var found: [String] = []
        if workerListen.isEmpty != externalKernels.isEmpty {
            found.append("worker_listen and external_kernels need each other.")
        }
        if externalKernels.count > Limits.externalKernels {
            found.append("external_kernels may name \(Limits.externalKernels) kernels at most.")
        }
        for name in externalKernels where !KernelName.isFit(name) {
            found.append(
                "The external kernel \"\(name)\" must have 1 to 64 of the characters a to z, "
                    + "0 to 9, _ and -."
            )
        }
        return found
    }
}

extension Settings.Curve {
    /// Bytes of a public key.
    private static let keyBytes = 32

    fileprivate var problems: [String] {
        var found: [String] = []
        if secretKeyFile.isEmpty {
            found.append("curve.secret_key must name a file; make it with `millrace keygen`.")
        }
        var holders: [[UInt8]: String] = [:]
        for (name, client) in clients.sorted(by: { $0.key < $1.key }) {
            if QueueName(rawValue: name) == nil {
                found.append(
                    "The client name \"\(name)\" must be made of letters, digits, . _ and -."
                )
            }
            if client.publicKey.count != Self.keyBytes {
                found.append("The key of the client \(name) must have \(Self.keyBytes) bytes.")
            }
            if let other = holders.updateValue(name, forKey: client.publicKey) {
                found.append("The clients \(other) and \(name) have the same key.")
            }
        }
        return found
    }
}

/// What may be listened on, or be where events can be had.
private enum Endpoint {
    /// `sockaddr_un` holds 108 bytes, the last being zero; see unix(7).
    private static let socketPathBytes = 107

    static func problem(_ endpoint: String, of setting: String, asksForKeys: Bool) -> String? {
        if endpoint.hasPrefix("ipc://") {
            let path = endpoint.dropFirst("ipc://".count)
            if path.isEmpty { return "\(setting): \(endpoint) names no socket." }
            guard path.utf8.count > socketPathBytes else { return nil }
            return "\(setting): the socket's path in \(endpoint) is longer than "
                + "\(socketPathBytes) bytes; choose a shorter state directory."
        }
        guard endpoint.hasPrefix("tcp://") else {
            return "\(setting): \(endpoint) must begin with tcp:// or ipc://."
        }
        let address = endpoint.dropFirst("tcp://".count)
        guard let colon = address.lastIndex(of: ":"),
            isPort(address[address.index(after: colon)...])
        else {
            return "\(setting): \(endpoint) must end with a port, as tcp://127.0.0.1:5555 does."
        }
        guard !asksForKeys, !isLoopback(address[..<colon]) else { return nil }
        return "\(setting): \(endpoint) is open to the network, which needs CURVE: make a key with "
            + "`millrace keygen` and name its file as curve.secret_key."
    }

    /// `*` lets the system choose.
    private static func isPort(_ text: Substring) -> Bool { text == "*" || UInt16(text) != nil }

    private static func isLoopback(_ host: Substring) -> Bool {
        if host == "localhost" || host == "[::1]" { return true }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
        return numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy { UInt8($0) != nil }
    }
}
