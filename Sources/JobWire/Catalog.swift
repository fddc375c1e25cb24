public import JobCore

/// What this runner offers: its bounds, and what a job may name. Made from the settings, once.
public struct Catalog: Equatable, Sendable {
    public var limits: Limits
    public var kernels: Set<String>
    /// Those of them that external workers run.
    public var externalKernels: Set<String>
    /// Each alias, and what jobs may do to the database behind it.
    public var databases: [String: Access]
    public var commands: Programs

    public enum Access: Sendable {
        case read, write
    }

    public init(
        limits: Limits = Limits(),
        kernels: Set<String> = [],
        externalKernels: Set<String> = [],
        databases: [String: Access] = [:],
        commands: Programs = Programs()
    ) {
        self.limits = limits
        self.kernels = kernels.union(externalKernels)
        self.externalKernels = externalKernels
        self.databases = databases
        self.commands = commands
    }
}
