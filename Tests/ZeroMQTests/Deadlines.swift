import Foundation
import Synchronization
import ZeroMQ

/// How long a test waits for what must happen. Ten times more than a loaded machine needs.
let patience = Duration.seconds(20)

/// The next message, or `.nothing` when none came in time.
func next(_ socket: borrowing Socket, limits: MessageLimits = .unlimited) throws -> Received {
    var poll = PollSet()
    let index = poll.add(socket)
    try poll.wait(timeout: patience)
    guard poll.isReady(index) else { return .nothing }
    return try socket.receive(limits: limits, waiting: false)
}

/// A closure on a thread of its own, and what came of it.
final class Run<Value: Sendable>: Sendable {
    private let outcome = Mutex<Result<Value, any Error>?>(nil)
    private let ended = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () throws -> Value) {
        Thread.detachNewThread { [self] in
            outcome.withLock { $0 = Result(catching: body) }
            ended.signal()
        }
    }

    /// Waits for the end; nil when it did not come in time.
    func result() -> Result<Value, any Error>? {
        guard ended.wait(timeout: .now() + .seconds(20)) == .success else { return nil }
        return outcome.withLock { $0 }
    }
}

/// Two ends of one inproc connection.
struct Ends: ~Copyable {
    let left: Socket
    let right: Socket

    init(queueing messages: Int? = nil) throws {
        let context = try Context()
        var options = SocketOptions()
        options.sendHighWaterMark = messages
        options.receiveHighWaterMark = messages
        let left = try Socket(.pair, in: context, options: options)
        let right = try Socket(.pair, in: context, options: options)
        try left.bind("inproc://ends")
        try right.connect("inproc://ends")
        // Last: such an init may not throw half way.
        self.left = left
        self.right = right
    }
}

extension [UInt8] {
    init(_ text: String) { self.init(text.utf8) }
}
