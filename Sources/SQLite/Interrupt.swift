internal import CSQLite
internal import Synchronization

/// Lets another thread end what a connection is running.
///
/// The running statement fails with `isInterrupted` at its next opportunity. When none is running
/// nothing happens, and the next one runs undisturbed: whoever must not lose a cancellation keeps
/// a flag of its own and looks at it in the progress check too.
public final class Interrupt: Sendable {
    /// The address of the open connection, nil once it is closed. An integer because pointers are
    /// not `Sendable`.
    private let address: Mutex<UInt?>

    init(_ handle: OpaquePointer) {
        address = Mutex(UInt(bitPattern: handle))
    }

    /// May be called from any thread at any time, also after the connection is closed.
    public func callAsFunction() {
        address.withLock { address in
            guard let handle = address.flatMap({ OpaquePointer(bitPattern: $0) }) else { return }
            sqlite3_interrupt(handle)
        }
    }

    /// Waits for a running call, so that none can reach a closed connection.
    func disarm() {
        address.withLock { $0 = nil }
    }
}
