internal import JobCore
internal import JobWire

/// What the parser's thread is asked for.
enum ParserLetter: Sendable {
    case read(Envelope)
    case write(Message, at: Timestamp)
    case readExternal(ExternalEnvelope)
    case writeExternal(ExternalMessage)
    /// The thread is to end.
    case stop
}

/// Reads and writes large messages, on a thread with nothing urgent to do: the broker would keep
/// everybody waiting meanwhile.
struct ParserLoop {
    let ear: Ear
    let inbox: Mailbox<ParserLetter>
    let answers: Mailbox<BrokerLetter>

    /// Until it is told to stop.
    func run() {
        while true {
            for letter in inbox.wait() {
                switch letter {
                case .read(let envelope):
                    answers.put(.heard(ear.hear(envelope), bytes: envelope.byteCount))
                case .write(let message, let now):
                    answers.put(.written(frames(for: message, now: now), message))
                case .readExternal(let envelope):
                    answers.put(.readExternal(envelope.word(), envelope))
                case .writeExternal(let message):
                    answers.put(.writtenExternal(Result(writing: message), message))
                case .stop: return
                }
            }
        }
    }
}

extension Result<[[UInt8]], Failure> {
    /// The frames of a message; `damaged` when it is an order that nobody can carry out.
    init(writing message: ExternalMessage) {
        do { self = .success(try frames(for: message)) } catch { self = .failure(.damaged) }
    }
}
