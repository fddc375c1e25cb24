internal import Glibc
internal import Synchronization

/// A thread of the system that does one thing beside its maker, who gets what came of it.
final class BenchThread<Outcome: Sendable>: Sendable {
    private let end = Mutex<Result<Outcome, any Error>?>(nil)

    init(_ body: @escaping @Sendable () throws -> Outcome) throws(BenchError) {
        let start = ThreadStart { [self] in
            let result = Result { try body() }
            end.withLock { $0 = result }
        }
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(start).toOpaque()
        let failed = pthread_create(&thread, nil, runThread, argument)
        guard failed == 0 else {
            throw .system(action: "start a thread", reason: String(cString: strerror(failed)))
        }
        pthread_detach(thread)
    }

    var hasEnded: Bool { end.withLock { $0 != nil } }

    /// Waits for its end.
    func outcome() throws -> Outcome {
        while true {
            if let end = end.withLock({ $0 }) { return try end.get() }
            pause(ms: 1)
        }
    }
}

/// What a new thread is given, for C knows no closures.
private final class ThreadStart: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue().body()
    return nil
}
