public import JobCore

/// Writes what an external worker is told as the frames that a ROUTER sends.
///
/// An order's body is the job's input as JSON, and its binary frames by their numbers; of a direct
/// call, the frames alone, as they were sent.
///
/// - Throws: When the work of an order is not what the front door lets in.
public func frames(for message: ExternalMessage) throws(FrameError) -> [[UInt8]] {
    func begin(_ command: ExternalCommand) -> [[UInt8]] {
        [message.to.rawValue, [], workerProtocol, [command.rawValue]]
    }
    switch message.word {
    case .heartbeat: return begin(.heartbeat)
    case .disconnect: return begin(.disconnect)
    case .request(let address, let body, let frames):
        let work = try ComputeWork(body, frames: frames)
        let binary = work.frames.sorted { $0.number < $1.number }.map(\.bytes)
        return begin(.request) + [address.frame, []] + (work.isCall ? [] : [work.input]) + binary
    }
}

extension ExternalMessage {
    /// See `ExternalEnvelope.isLarge`.
    public var isLarge: Bool {
        guard case .request(_, let body, let frames) = word else { return false }
        return frames.reduce(body.count) { $0 + $1.bytes.count } > 32 << 10
    }
}
