import JobTesting
import JobWire
import Testing
import ZeroMQ

/// An external worker that is nothing but a socket, and knows of Majordomo what RFC 7 says.
final class ExternalWorker {
    private let conversation: Conversation
    private let kernel: String

    /// Says that it is there.
    init(
        _ endpoint: String,
        kernel: String = "shout",
        keys: SocketOptions.ClientKeys? = nil
    ) throws {
        self.kernel = kernel
        conversation = try Conversation(dealer: endpoint, keys: keys)
        try ready()
    }

    func ready() throws { try say(1, [Array(kernel.utf8)]) }

    func say(_ command: UInt8, _ frames: [[UInt8]] = []) throws {
        try conversation.say([Array("MDPW01".utf8), [command]] + frames)
    }

    /// The next message that is no heartbeat: its command, and what belongs to it.
    func hear() throws -> (command: UInt8, frames: [[UInt8]]) {
        while true {
            let message = try conversation.hearFrames()
            try #require(message.count >= 3 && message[0].isEmpty)
            try #require(message[1] == Array("MDPW01".utf8) && message[2].count == 1)
            if message[2] != [4] { return (message[2][0], Array(message.dropFirst(3))) }
        }
    }

    /// The next message is an order: its address and its body.
    func order() throws -> (address: [UInt8], body: [[UInt8]]) {
        let (command, frames) = try hear()
        try #require(command == 2 && frames.count >= 3 && frames[1].isEmpty)
        return (frames[0], Array(frames.dropFirst(2)))
    }

    func reply(_ address: [UInt8], _ result: String...) throws {
        try say(3, [address, []] + result.map { Array($0.utf8) })
    }

    func beat() throws { try say(4) }

    /// Says heartbeats until what is waited for happens.
    func beating<Value>(
        _ what: String,
        _ probe: () throws -> Value?
    ) throws -> Value {
        var next = ContinuousClock.now
        return try eventually(what) {
            if ContinuousClock.now >= next {
                try beat()
                next += .seconds(1)
            }
            return try probe()
        }
    }
}

extension RunnerProcess.Options {
    /// With a door for external workers, of two kernels.
    static func external() -> Self {
        var options = RunnerProcess.Options()
        options.settings["WORKER_LISTEN"] = "ipc://run/workers.sock"
        options.settings["EXTERNAL_KERNELS"] = "shout,whisper"
        return options
    }
}

extension RunnerProcess {
    var workerDoor: String { "ipc://\(state)/run/workers.sock" }
}
