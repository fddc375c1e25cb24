internal import Logging
internal import Synchronization

/// What a thread wants somebody to look at, until it is over: shown by `sys.stats`.
final class Alarm: Sendable {
    private let sentence = Mutex<String?>(nil)
    private let log: Logger

    init(_ log: Logger) { self.log = log }

    var sentences: [String] { sentence.withLock { $0.map { [$0] } ?? [] } }

    func raise(_ words: String) {
        sentence.withLock { $0 = words }
        log.error("\(words)")
    }

    func clear() {
        sentence.withLock { $0 = nil }
        log.notice("It is well again.")
    }
}
