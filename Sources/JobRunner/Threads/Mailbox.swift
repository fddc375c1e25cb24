internal import CLinux
internal import Glibc
internal import Synchronization

/// What one thread hands to another: any number of threads put, one takes.
///
/// The reader sleeps on `descriptor` (an eventfd), alone or in a poll together with sockets. It is
/// only written to when the box was empty: while the reader is busy, more letters cost no system
/// call.
final class Mailbox<Letter: Sendable>: Sendable {
    let descriptor: CInt
    private let letters = Mutex<[Letter]>([])
    /// Goes up by one when the reader begins to wait, and again when it has waited.
    private let turns = Atomic<UInt64>(0)

    /// - Parameter descriptor: An eventfd of its own.
    init(_ descriptor: CInt = clinux_eventfd()) {
        self.descriptor = descriptor
        precondition(descriptor >= 0, "an eventfd can be had: the process has descriptors left")
    }

    deinit { close(descriptor) }

    func put(_ letter: Letter) {
        let wasEmpty = letters.withLock { letters in
            letters.append(letter)
            return letters.count == 1
        }
        if wasEmpty { ring() }
    }

    /// All letters so far, in the order in which they were put; none when the box is empty.
    func takeAll() -> [Letter] {
        var count: UInt64 = 0
        _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
        return letters.withLock { letters in
            defer { letters.removeAll() }
            return letters
        }
    }

    /// Where the reader is: a number that stays the same while it waits, or while it is busy with
    /// what it took last. Which of both, `isWaiting` tells.
    var turn: UInt64 { turns.load(ordering: .relaxed) }

    /// Waits until there are letters, and takes all.
    func wait() -> [Letter] {
        while true {
            let letters = wait(ms: -1)
            if !letters.isEmpty { return letters }
        }
    }

    /// Waits until there are letters, at most `ms` milliseconds, and takes all; none when the time
    /// is up, or for no reason.
    func wait(ms: Int) -> [Letter] {
        var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        turns.wrappingAdd(1, ordering: .relaxed)
        _ = poll(&item, 1, CInt(clamping: ms))
        turns.wrappingAdd(1, ordering: .relaxed)
        return takeAll()
    }

    private func ring() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }
}

/// Whether a reader at this turn of its mailbox waits for letters.
func isWaiting(_ turn: UInt64) -> Bool { !turn.isMultiple(of: 2) }
