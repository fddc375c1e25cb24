/// What a client sends: a service, its arguments, and binary frames.
public struct Call: Equatable, Sendable {
    public var service: String
    /// A JSON object; for `mmi.service`, a name.
    public var body: [UInt8]
    /// The first has the number 2.
    public var frames: [[UInt8]]

    public init(_ service: String, body: [UInt8] = [], frames: [[UInt8]] = []) {
        self.service = service
        self.body = body
        self.frames = frames
    }

    public init(_ service: String, _ arguments: JSON, frames: [[UInt8]] = []) {
        self.init(service, body: arguments.encoded(), frames: frames)
    }

    /// The frames as a REQ socket sends them, which adds the delimiter by itself. A DEALER must
    /// send an empty frame before them.
    public var message: [[UInt8]] {
        [clientProtocol, Array(service.utf8), body] + frames
    }
}
