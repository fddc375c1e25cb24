internal import Glibc

/// The terminal while it shows the live view: keys come one by one and are not echoed, and the view
/// has a screen of its own. All is as it was before when this ends.
final class TopScreen {
    private let before: termios
    private let signals: StopSignals
    /// Bytes of keys that were read and not understood yet.
    private var unread: [UInt8] = []

    /// How long is waited for the rest of a key that is several bytes, and how soon a signal is
    /// noticed, in ms.
    private static let stepMs: CInt = 100

    /// Nil when standard input or output is no terminal.
    init?() {
        var mode = termios()
        guard isatty(STDOUT_FILENO) == 1, tcgetattr(STDIN_FILENO, &mode) == 0 else { return nil }
        before = mode
        signals = StopSignals()
        mode.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
        tcsetattr(STDIN_FILENO, TCSANOW, &mode)
        Console.write(Array("\u{1B}[?1049h\u{1B}[?25l".utf8))
    }

    deinit {
        Console.write(Array("\u{1B}[?25h\u{1B}[?1049l".utf8))
        var mode = before
        tcsetattr(STDIN_FILENO, TCSANOW, &mode)
    }

    /// 80 by 24 when the terminal does not tell.
    var size: TopPage.Size {
        // Rows, columns and two more: `struct winsize`, see TIOCGWINSZ(2const).
        var numbers: [UInt16] = [0, 0, 0, 0]
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &numbers) == 0, numbers[0] > 0, numbers[1] > 0
        else { return TopPage.Size(columns: 80, rows: 24) }
        return TopPage.Size(columns: Int(numbers[1]), rows: Int(numbers[0]))
    }

    /// Each line over what stood there before, so that nothing flickers.
    func draw(_ lines: [String]) {
        let text = lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n")
        Console.write(Array("\u{1B}[H\(text)\u{1B}[J".utf8))
    }

    /// True when the program was asked to end, or the terminal is gone.
    private(set) var isOver = false

    /// The next key; nil when none was pressed in time.
    func key(until deadline: ContinuousClock.Instant) -> TopModel.Key? {
        while !isOver {
            if let key = TopKeys.take(from: &unread) { return key }
            let rest = ContinuousClock.now.duration(to: deadline)
            guard rest > .zero else { return nil }
            let hasMore = read(within: rest < .milliseconds(Self.stepMs) ? 1 : Self.stepMs)
            if !hasMore, let key = TopKeys.takeLast(from: &unread) { return key }
            isOver = isOver || signals.isPending
        }
        return nil
    }

    /// - Returns: Whether there was something to read.
    private func read(within ms: CInt) -> Bool {
        var item = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard poll(&item, 1, ms) > 0 else { return false }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = Glibc.read(STDIN_FILENO, &bytes, bytes.count)
        isOver = count <= 0 && errno != EINTR
        unread += bytes.prefix(max(count, 0))
        return count > 0
    }
}

/// What a terminal sends for keys. Pure.
enum TopKeys {
    private static let escape: UInt8 = 0x1B

    /// The first key among these bytes, which are taken out; nil when they are only the beginning
    /// of one, or none at all.
    static func take(from bytes: inout [UInt8]) -> TopModel.Key? {
        while let first = bytes.first {
            guard first == escape else {
                bytes.removeFirst()
                return .letter(Character(UnicodeScalar(first)))
            }
            guard bytes.count >= 3 else { return nil }
            let sequence = bytes.prefix(3)
            bytes.removeFirst(3)
            switch (sequence[1], sequence[2]) {
            case (UInt8(ascii: "["), UInt8(ascii: "A")), (UInt8(ascii: "O"), UInt8(ascii: "A")):
                return .up
            case (UInt8(ascii: "["), UInt8(ascii: "B")), (UInt8(ascii: "O"), UInt8(ascii: "B")):
                return .down
            default: continue  // A key that does nothing here.
            }
        }
        return nil
    }

    /// When no more bytes come: the beginning of a key is the key Escape, which does nothing, and
    /// what stands behind it.
    static func takeLast(from bytes: inout [UInt8]) -> TopModel.Key? {
        if bytes.first == escape { bytes.removeFirst() }
        return take(from: &bytes)
    }
}
