internal import JobCore
internal import JobWire
internal import ZeroMQ

// What the broker does with external workers: their words go to the dispatcher, its words to them.

extension Broker {
    mutating func hearExternals(at now: Timestamp) throws(ZeroMQError) {
        var bytes = 0
        for _ in 0..<ExternalDoor.messagesARound where bytes < ExternalDoor.bytesARound {
            switch try doors.externals.hear(desk.peers, &bytes) {
            case .nothing: return
            case .word(let word, let peer):
                dispatcher.hear(.heardExternal(word, from: peer), at: now)
            case .large(let envelope): desk.staff.parser.put(.readExternal(envelope))
            case .dropped: dispatcher.dropped += 1
            }
        }
    }

    mutating func tell(_ message: ExternalMessage) throws(ZeroMQError) {
        if message.word == .disconnect { fillings.end(for: message.to) }
        if let filler = desk.staff.filler, !message.sources.isEmpty {
            return filler.put(.fill(message, fillings.begin(message)))
        }
        guard !message.isLarge else { return desk.staff.parser.put(.writeExternal(message)) }
        try tell(Result(writing: message), message)
    }

    /// An order that cannot be carried out fails as if the worker had said so.
    func tell(
        _ frames: Result<[[UInt8]], Failure>,
        _ message: ExternalMessage
    ) throws(ZeroMQError) {
        switch frames {
        case .success(let frames):
            guard try !doors.externals.tell(frames, message) else { return }
            desk.inbox.put(.event(.unreachable(message.to, message.address)))
        case .failure(let failure):
            guard let address = message.address else { return }
            let word = ExternalWord.failure(address, failure)
            desk.inbox.put(.event(.heardExternal(word, from: message.to)))
        }
    }
}
