internal import JobRunner
internal import Synchronization

/// A thread of the system that does one thing beside its maker, who gets what came of it.
final class BenchThread<Outcome: Sendable>: Sendable {
    private let end = Mutex<Result<Outcome, any Error>?>(nil)

    init(_ body: @escaping @Sendable () throws -> Outcome) throws(BenchError) {
        let hasStarted = tryToStartThread("bench") { [self] in
            let result = Result { try body() }
            end.withLock { $0 = result }
        }
        guard hasStarted else {
            throw .system(action: "start a thread", reason: "The system has none left.")
        }
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
