public import JobCore

/// The kernels that a runner knows, by name. Fill it before the runner starts; a copy is a value.
public struct KernelRegistry: Sendable {
    private var kernels: [String: any Kernel] = [:]

    /// Knows no kernel.
    public init() {}

    /// The kernels that are built in.
    public static let standard: KernelRegistry = {
        let builtIn: [any Kernel] = [
            CountKernel(), DigestKernel(), EchoKernel(), PrimesKernel(), SleepKernel(),
            SudokuKernel(), SumKernel(),
        ]
        var registry = KernelRegistry()
        for kernel in builtIn { registry.kernels[kernel.name] = kernel }
        return registry
    }()

    /// Ascending.
    public var names: [String] { kernels.keys.sorted() }

    /// - Throws: When the name breaks the rules or is taken; the registry is then unchanged.
    public mutating func register(_ kernel: some Kernel) throws(RegistrationError) {
        let name = kernel.name
        guard KernelName.isFit(name) else { throw .badName(name) }
        guard kernels[name] == nil else { throw .nameTaken(name) }
        kernels[name] = kernel
    }

    public subscript(name: String) -> (any Kernel)? { kernels[name] }

    /// Why a kernel was not registered: a mistake in the embedding program.
    public enum RegistrationError: Error, Equatable, Sendable {
        case badName(String)
        case nameTaken(String)
    }
}

extension KernelRegistry.RegistrationError: Explained {
    public var summary: String {
        switch self {
        case .badName(let name): "\"\(name)\" cannot be the name of a kernel."
        case .nameTaken(let name): "There is a kernel named \"\(name)\" already."
        }
    }

    public var hint: String? {
        switch self {
        case .badName: "Use 1 to 64 of the characters a to z, 0 to 9, _ and -."
        case .nameTaken: "Give the kernel another name."
        }
    }
}
