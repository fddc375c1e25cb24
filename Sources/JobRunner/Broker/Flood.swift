internal import Glibc

/// Notices that clients send more than the broker hears, so that memory fills: libzmq reads from
/// all clients as fast as it can, and keeps what has not been heard.
///
/// How much that is it does not tell. But while every round is full, and the process grows all the
/// while, it is this.
struct Flood {
    /// Bytes by which the process may grow while rounds are full.
    static let bytes = 256 << 20
    /// How often a message is heard, at most, in a round in which those behind it are thrown away.
    static let turnsARound = 16
    /// Full rounds between two looks at the process: some ten ms.
    private static let roundsALook = 64

    private var rounds = 0
    private var before = 0
    /// What clients have sent is to be thrown away.
    private(set) var isHigh = false

    mutating func roundWasFull() {
        if rounds == 0 { before = residentBytes() }
        rounds += 1
        if rounds.isMultiple(of: Self.roundsALook), residentBytes() - before > Self.bytes {
            isHigh = true
        }
    }

    /// All that was sent has been heard.
    mutating func ebb() { self = Flood() }
}

/// Memory of this process, as far as it is in use; 0 when the system does not tell.
///
/// Source: proc_pid_statm(5): the second number, in pages.
private func residentBytes() -> Int {
    let file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return 0 }
    defer { close(file) }
    var text = [UInt8](repeating: 0, count: 128)
    let count = read(file, &text, text.count)
    let words = text.prefix(max(count, 0)).split(separator: UInt8(ascii: " "))
    guard words.count > 1, let pages = Int(String(decoding: words[1], as: UTF8.self)) else {
        return 0
    }
    return pages * Int(sysconf(CInt(_SC_PAGESIZE)))
}
