internal import Glibc

// What a worker and the keeper of its command say to each other, over a `FrameChannel`.

/// What a keeper is told first: the program that it shall start.
struct Launch: Equatable {
    /// Its path.
    var program: String
    /// Its name first.
    var arguments: [String]
    /// All of them, as `NAME=VALUE`.
    var environment: [String]
    var workingDirectory: String
    /// Each of the command's processes may map so much.
    var memoryBytes: Int64

    /// How many frames stand before the arguments.
    private static let headFrames = 4

    var frames: [[UInt8]] {
        let head = [program, workingDirectory, "\(memoryBytes)", "\(arguments.count)"]
        return (head + arguments + environment).map { Array($0.utf8) }
    }

    init(
        program: String,
        arguments: [String],
        environment: [String],
        workingDirectory: String,
        memoryBytes: Int64
    ) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.memoryBytes = memoryBytes
    }

    init(_ frames: [[UInt8]]) throws(FrameChannel.Closed) {
        let words = frames.map { String(decoding: $0, as: UTF8.self) }
        guard words.count >= Self.headFrames, let memoryBytes = Int64(words[2]),
            let count = Int(words[3]), (0...words.count - Self.headFrames).contains(count)
        else { throw FrameChannel.Closed() }
        self.init(
            program: words[0],
            arguments: Array(words[Self.headFrames...].prefix(count)),
            environment: Array(words[(Self.headFrames + count)...]),
            workingDirectory: words[1],
            memoryBytes: memoryBytes
        )
    }
}

/// What a keeper tells at last, when nothing of the command is left.
enum KeptEnd: Equatable {
    case ended(ChildEnd)
    /// The program could not be started, for this `errno`.
    case notStarted(CInt)

    var frames: [[UInt8]] {
        let words =
            switch self {
            case .ended(.exit(let code)): "exit \(code)"
            case .ended(.signal(let signal)): "signal \(signal)"
            case .ended(.unknown): "unknown 0"
            case .notStarted(let code): "errno \(code)"
            }
        return [Array(words.utf8)]
    }

    init(_ frames: [[UInt8]]) throws(FrameChannel.Closed) {
        let words = String(decoding: frames.first ?? [], as: UTF8.self).split(separator: " ")
        guard words.count == 2, let number = CInt(words[1]) else { throw FrameChannel.Closed() }
        switch words[0] {
        case "exit": self = .ended(.exit(number))
        case "signal": self = .ended(.signal(number))
        case "unknown": self = .ended(.unknown)
        case "errno": self = .notStarted(number)
        default: throw FrameChannel.Closed()
        }
    }
}

/// A signal that a keeper shall pass on to the program and its process group.
struct PassedSignal: Equatable {
    let number: CInt

    var frames: [[UInt8]] { [Array("\(number)".utf8)] }

    init(_ number: CInt) { self.number = number }

    init(_ frames: [[UInt8]]) throws(FrameChannel.Closed) {
        guard let number = CInt(String(decoding: frames.first ?? [], as: UTF8.self)) else {
            throw FrameChannel.Closed()
        }
        self.number = number
    }
}
