internal import Synchronization

/// Counts threads, so that somebody can wait for the end of all.
final class ThreadCount: Sendable {
    private let count = Atomic(0)
    private let departures = Mailbox<Bool>()

    /// To be called before a thread begins.
    ///
    /// - Returns: To be called at the thread's end, or when there is no thread to be had.
    func come() -> @Sendable () -> Void {
        count.add(1, ordering: .relaxed)
        return { [self] in
            count.subtract(1, ordering: .releasing)
            departures.put(true)
        }
    }

    /// - Returns: False when the time was up before.
    func waitUntilGone(atMost most: Duration) -> Bool {
        let end = ContinuousClock.now + most
        while count.load(ordering: .acquiring) > 0 {
            let rest = ContinuousClock.now.duration(to: end)
            guard rest > .zero else { return false }
            _ = departures.wait(ms: Int(clamping: rest.microseconds / 1_000 + 1))
        }
        return true
    }
}
