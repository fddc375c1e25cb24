internal import JobCore
internal import JobStorage
internal import Logging

/// What the reader hears.
enum ReaderLetter: Sendable {
    case queries([Decisions.Asked])
    case stop
}

/// The reader's thread: answers the dispatcher's queries on its own read-only connection, so that
/// neither the front door nor a commit waits for a list or a large result.
final class ReaderLoop {
    private let store: StoreReader
    private let inbox: Mailbox<ReaderLetter>
    private let answers: Mailbox<BrokerLetter>
    private let log: Logger
    private let alarm: Alarm

    init(
        _ store: StoreReader,
        inbox: Mailbox<ReaderLetter>,
        answers: Mailbox<BrokerLetter>,
        log: Logger,
        alarm: Alarm
    ) {
        self.alarm = alarm
        self.store = store
        self.inbox = inbox
        self.answers = answers
        self.log = log
    }

    /// Returns after `stop`; what was not answered by then never is.
    func run() {
        var turns = QueryTurns()
        while true {
            for letter in turns.isEmpty ? inbox.wait() : inbox.takeAll() {
                switch letter {
                case .queries(let queries): for asked in queries { turns.add(asked) }
                case .stop: return
                }
            }
            guard let asked = turns.next() else { continue }
            answers.put(.event(.answered(asked.ticket, answer(asked.query))))
        }
    }

    private func answer(_ query: Query) -> Answer {
        do throws(StoreError) {
            return try store.answer(query)
        } catch {
            log.error("The store cannot be read.", metadata: ["reason": "\(error.summary)"])
            if case .corrupt = error { alarm.raise(.damage, error.summary) }
            return .unreadable(error.refusal)
        }
    }
}
