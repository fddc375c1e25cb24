import Foundation
import JobTesting
import Synchronization

/// A client that means well and pings all the time, beside others that do not: how long it waits is
/// what they can do to it.
final class Bystander: Sendable {
    private let isOver = Atomic(false)
    private let ended = DispatchSemaphore(value: 0)
    private let times = Mutex<(waits: [Duration], failure: String?)>(([], nil))

    init(_ endpoint: String) {
        Thread.detachNewThread { [self] in
            defer { ended.signal() }
            do {
                let client = try Conversation(endpoint)
                while !isOver.load(ordering: .relaxed) {
                    let start = ContinuousClock.now
                    let code = try client.ask("sys.ping").code
                    let wait = ContinuousClock.now - start
                    times.withLock {
                        $0.waits.append(wait)
                        if code != "200" { $0.failure = "A ping was answered \(code)." }
                    }
                    letPass(microseconds: 500)
                }
            } catch {
                times.withLock { $0.failure = "A ping was not answered: \(error)" }
            }
        }
    }

    /// Ends it, and tells what it saw. It has been there for a hundred pings at least.
    func waits() throws -> Waits {
        _ = try eventually("a hundred pings") {
            times.withLock { $0.waits.count >= 100 || $0.failure != nil } ? true : nil
        }
        isOver.store(true, ordering: .relaxed)
        ended.wait()
        return times.withLock { Waits($0.waits, failure: $0.failure) }
    }

    struct Waits: CustomStringConvertible {
        let count: Int
        let p99: Duration
        let most: Duration
        private let failure: String?

        init(_ waits: [Duration], failure: String?) {
            let sorted = waits.sorted()
            count = sorted.count
            p99 = sorted.isEmpty ? .zero : sorted[sorted.count * 99 / 100]
            most = sorted.last ?? .zero
            self.failure = failure
        }

        var description: String {
            "\(count) pings beside: p99 \(p99.inMicroseconds) µs, at most \(most.inMicroseconds) µs"
        }

        /// The promise is a second; on a machine that does much else, liveness counts.
        var problems: [String] {
            let slow = most > .seconds(10) ? ["A ping took \(most)."] : []
            return slow + [failure].compactMap(\.self)
        }
    }
}

extension Duration {
    var inMs: Int { Int(self / .milliseconds(1)) }
    var inMicroseconds: Int { Int(self / .microseconds(1)) }
}
