internal import Logging
internal import Synchronization

/// What the writer wants somebody to look at, until it is over: shown by `sys.stats`.
final class Alarm: Sendable {
    enum Cause: Int, CaseIterable {
        /// The store cannot be written.
        case unwritable
        /// The write-ahead log grows.
        case log
        /// Something in the store cannot have been written by us. Only a start ends this alarm.
        case damage
    }

    private let raised = Mutex<[Cause: String]>([:])
    private let log: Logger

    init(_ log: Logger) { self.log = log }

    var sentences: [String] {
        raised.withLock { raised in Cause.allCases.compactMap { raised[$0] } }
    }

    /// Says it once: an alarm that is raised already only changes its words.
    func raise(_ cause: Cause, _ words: String) {
        let isNew = raised.withLock { $0.updateValue(words, forKey: cause) == nil }
        if isNew { log.error("\(words)") }
    }

    /// Nothing happens when it was not raised.
    func clear(_ cause: Cause) {
        guard let words = raised.withLock({ $0.removeValue(forKey: cause) }) else { return }
        log.notice("It is well again.", metadata: ["what": "\(words)"])
    }
}
