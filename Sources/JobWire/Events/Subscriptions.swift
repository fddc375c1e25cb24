/// What subscribers want to hear, as an XPUB socket tells it: each topic when the first of them
/// wants it, and again when the last does no more (ZeroMQ RFC 29).
public struct Subscriptions: Sendable {
    /// Different topics that are looked at one by one. While there are more, everything is wanted,
    /// and the socket chooses.
    static let most = 10_000

    private var topics: Set<[UInt8]> = []
    /// How many topics there are of each length.
    private var lengths: [Int: Int] = [:]
    /// Topics beyond `most`, which are only counted.
    private var others = 0

    public init() {}

    public var count: Int { topics.count + others }

    public var isEmpty: Bool { count == 0 }

    /// Reads one message of the socket. What is none of these, such as what a subscriber has sent
    /// by itself, changes nothing.
    public mutating func hear(_ message: [[UInt8]]) {
        guard message.count == 1, let kind = message[0].first else { return }
        let topic = Array(message[0].dropFirst())
        switch kind {
        case 1: add(topic)
        case 0: remove(topic)
        default: break
        }
    }

    private mutating func add(_ topic: [UInt8]) {
        guard topics.count < Self.most || topics.contains(topic) else {
            others += 1
            return
        }
        if topics.insert(topic).inserted { lengths[topic.count, default: 0] += 1 }
    }

    private mutating func remove(_ topic: [UInt8]) {
        guard topics.remove(topic) != nil else {
            others = max(0, others - 1)
            return
        }
        if let left = lengths[topic.count] { lengths[topic.count] = left > 1 ? left - 1 : nil }
    }

    /// Whether somebody wants what is published under this topic: one whose topic it begins with.
    public func want(_ topic: [UInt8]) -> Bool {
        if others > 0 { return true }
        return lengths.keys.contains { length in
            length <= topic.count && topics.contains(Array(topic.prefix(length)))
        }
    }
}
