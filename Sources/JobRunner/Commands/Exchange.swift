internal import Glibc
internal import JobCore

/// What goes to and fro while a command runs: its program gets its input, and what it says is kept,
/// until its keeper tells how it has ended.
struct Exchange {
    private static let pieceBytes = 1 << 16

    private let keeper: Keeper
    private let input: [UInt8]
    private var fed = 0
    private let mostBytes: Int
    private(set) var output: [UInt8] = []
    private(set) var errors = StreamTail(mostBytes: Limits.stderrBytes)
    /// True when the output has more bytes than it may; they are not kept then.
    private(set) var isTooLarge = false
    private var piece = [UInt8](repeating: 0, count: Self.pieceBytes)

    /// The output may have `mostBytes`.
    init(_ keeper: Keeper, input: [UInt8], mostBytes: Int) {
        self.keeper = keeper
        self.input = input
        self.mostBytes = mostBytes
    }

    /// - Throws: `Closed` when the keeper has ended without a word.
    mutating func run(_ stop: inout CommandStop) throws(FrameChannel.Closed) -> KeptEnd {
        if input.isEmpty { keeper.close(.input) }
        while true {
            let ms = stop.look(mustEnd: isTooLarge)
            var items = [
                pollfd(fd: keeper.channel.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: stop.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: keeper.descriptor(of: .input), events: Int16(POLLOUT), revents: 0),
                pollfd(fd: keeper.descriptor(of: .output), events: Int16(POLLIN), revents: 0),
                pollfd(fd: keeper.descriptor(of: .errors), events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&items, nfds_t(items.count), CInt(clamping: ms ?? -1)) > 0 else { continue }
            if items[2].revents != 0 { feed() }
            if items[3].revents != 0 { _ = takeOutput() }
            if items[4].revents != 0 { _ = takeErrors() }
            guard items[0].revents != 0 else { continue }

            let end = try keeper.hearEnd()
            // All that was said before it has come by now.
            while takeOutput() {}
            while takeErrors() {}
            return end
        }
    }

    private mutating func feed() {
        let end = min(fed + Self.pieceBytes, input.count)
        let count = input[fed..<end].withUnsafeBytes {
            write(keeper.descriptor(of: .input), $0.baseAddress, $0.count)
        }
        fed += max(count, 0)
        // A program need not want all of it.
        let isRefused = count < 0 && errno != EAGAIN && errno != EINTR
        if isRefused || fed == input.count { keeper.close(.input) }
    }

    /// - Returns: False when there is no more now.
    private mutating func takeOutput() -> Bool {
        let count = takePiece(of: .output)
        guard count <= mostBytes - output.count else {
            isTooLarge = true
            output = []
            keeper.close(.output)
            return false
        }
        output += piece[..<count]
        return count > 0
    }

    private mutating func takeErrors() -> Bool {
        let count = takePiece(of: .errors)
        errors.append(piece[..<count])
        return count > 0
    }

    /// - Returns: How many bytes of `piece` are new.
    private mutating func takePiece(of stream: Keeper.Stream) -> Int {
        let count = read(keeper.descriptor(of: stream), &piece, piece.count)
        if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) { keeper.close(stream) }
        return max(count, 0)
    }
}

/// The last bytes of a stream, as text.
struct StreamTail {
    private let mostBytes: Int
    private var bytes: [UInt8] = []
    private var isCut = false

    init(mostBytes: Int) { self.mostBytes = mostBytes }

    mutating func append(_ piece: ArraySlice<UInt8>) {
        bytes += piece
        guard bytes.count > mostBytes else { return }
        bytes.removeFirst(bytes.count - mostBytes)
        isCut = true
    }

    /// What is not UTF-8 is replaced; a character that was cut is left out.
    var text: String {
        let isInside = { (byte: UInt8) in byte & 0b1100_0000 == 0b1000_0000 }
        let whole = isCut ? bytes.drop(while: isInside) : bytes[...]
        return String(decoding: whole, as: UTF8.self)
    }
}

/// Tells a keeper when its command shall end: first the program and its group are asked to
/// (SIGTERM), and after a while they are made to (SIGKILL).
struct CommandStop {
    private let keeper: Keeper
    private let run: KernelRun
    private let bell: Mailbox<Bool>
    private let patience: Duration
    /// When it was seen first that it shall end.
    private var since: ContinuousClock.Instant?
    private var hasKilled = false

    /// The bell rings when the run is broken off; `patience` is how long the program has to obey.
    init(_ keeper: Keeper, _ run: KernelRun, bell: Mailbox<Bool>, patience: Duration) {
        self.keeper = keeper
        self.run = run
        self.bell = bell
        self.patience = patience
    }

    /// Readable when there is something to look at.
    var descriptor: CInt { bell.descriptor }

    /// Whether the program was asked to end.
    var hasAsked: Bool { since != nil }

    /// - Returns: After how many ms there is something to do, if nothing happens before.
    mutating func look(mustEnd: Bool) -> Int? {
        _ = bell.takeAll()
        let now = ContinuousClock.now
        guard mustEnd || run.isCancelled else {
            return run.deadline.map { now.duration(to: $0).wholeMs }
        }
        if since == nil { keeper.pass(SIGTERM) }
        let start = since ?? now
        since = start
        guard !hasKilled else { return nil }
        let rest = patience - (now - start)
        guard rest <= .zero else { return rest.wholeMs }
        hasKilled = true
        keeper.pass(SIGKILL)
        return nil
    }
}
