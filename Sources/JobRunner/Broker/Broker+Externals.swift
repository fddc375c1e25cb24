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

    func tell(_ message: ExternalMessage) throws(ZeroMQError) {
        guard !message.isLarge else { return desk.staff.parser.put(.writeExternal(message)) }
        try tell(try? JobWire.frames(for: message), message)
    }

    /// Without frames the order is one that nobody can carry out.
    func tell(_ frames: [[UInt8]]?, _ message: ExternalMessage) throws(ZeroMQError) {
        if let frames {
            guard try !doors.externals.tell(frames, message) else { return }
            desk.inbox.put(.event(.unreachable(message.to, message.address)))
        } else if let address = message.address {
            let word = ExternalWord.failure(address, .damaged)
            desk.inbox.put(.event(.heardExternal(word, from: message.to)))
        }
    }
}
