public import JobCore

/// What became of a client's message.
public enum Heard: Equatable, Sendable {
    case request(Request, Caller)
    /// The answer is known already: what is wrong.
    case refused(Message)
    /// Not of the protocol's shape, and nobody to answer.
    case dropped
}

/// Reads the requests of clients. From here on there are only valid ones: nothing behind this looks
/// at a client's bytes again. It may be used on any thread.
public struct Ear: Sendable {
    private let catalog: Catalog

    public init(_ catalog: Catalog) {
        self.catalog = catalog
    }

    /// Reads the frames as a ROUTER gives them, with the routing id first.
    public func hear(_ frames: [[UInt8]], from peer: Peer = .local) -> Heard {
        Envelope(frames, from: peer).map(hear) ?? .dropped
    }

    public func hear(_ envelope: Envelope) -> Heard {
        var caller = envelope.caller
        let reader = RequestReader(envelope, catalog)
        do {
            try envelope.check(catalog.limits)
            let (request, name) = try reader.request()
            caller.request = name
            return .request(request, caller)
        } catch {
            caller.request = reader.requestName()
            return .refused(Message(to: caller, .refused(error.inside(""))))
        }
    }
}
