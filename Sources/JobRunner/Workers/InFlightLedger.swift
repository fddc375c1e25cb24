internal import CLinux
internal import Glibc
internal import JobCore
internal import Synchronization

/// The runs that are under way, one slot a worker, in a file that is mapped into memory: it
/// survives the process and costs a run two stores. A start reads from it what a crash interrupted.
///
/// A thread that crashes marks its own slot on the way out, so that its job is blamed and no other;
/// one that runs no job marks that none is to blame.
final class InFlightLedger: Sendable {
    /// One slot. The order of the fields is the file's format; `magic` changes with it.
    struct Slot {
        var state: State = .empty
        /// The kernel's number of the thread, by which a crash finds its slot.
        var thread: Int32 = 0
        var run: Int64 = 0
        var job: Int64 = 0
        var attempt: Int64 = 0
        var startedAt: Int64 = 0
        /// The fingerprint of a job that is not written yet; else 0.
        var unwritten: UInt64 = 0
        var unused: (Int64, Int64) = (0, 0)
    }

    enum State: Int32 {
        case empty, running, crashed
    }

    /// Workers, as many express workers, and as many abandoned ones.
    static let slotCount = 3 * Limits.workers.upperBound
    /// "MILLRAC1", the first eight bytes of the file.
    private static let magic: UInt64 = 0x3143_4152_4C4C_494D
    /// Runs that began longer ago than this did not end the process, in ms.
    private static let suspectMs: Int64 = 10_000
    private static let fileBytes = (slotCount + 1) * MemoryLayout<Slot>.stride

    // Safe to share: each slot is written by the one thread that claimed it.
    nonisolated(unsafe) private let slots: UnsafeMutablePointer<Slot>
    /// Not 0 when a thread that runs no job crashed, or has ended the process knowingly.
    nonisolated(unsafe) private let elsewhere: UnsafeMutablePointer<Int64>
    private let claimed = Mutex(Set<Int>())
    private let run = Atomic<Int64>(0)

    /// Maps the file, and makes it when there is none or it is not a ledger.
    init(path: String) throws(SystemError) {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw .last("open \(path)") }
        defer { close(file) }
        // Blocks are really there afterwards: a write to a hole on a full disk would be fatal.
        let failed = posix_fallocate(file, 0, off_t(Self.fileBytes))
        guard failed == 0 else { throw SystemError(code: failed, action: "make room for \(path)") }
        let memory = mmap(nil, Self.fileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
        guard let memory, memory != MAP_FAILED else { throw .last("map \(path)") }

        let magic = memory.assumingMemoryBound(to: UInt64.self)
        if magic.pointee != Self.magic { memset(memory, 0, Self.fileBytes) }
        magic.pointee = Self.magic
        elsewhere = memory.assumingMemoryBound(to: Int64.self) + 1
        slots = memory.assumingMemoryBound(to: Slot.self) + 1
    }

    /// The runs that the last process left behind, and who may be to blame for its end: those whose
    /// threads crashed, or else all that were young, unless it is known that none is.
    func inFlight(at now: Timestamp) -> [InFlight] {
        let found = (0..<Self.slotCount).map { slots[$0] }.filter { $0.state != .empty }
        let hasCulprit = elsewhere.pointee != 0 || found.contains { $0.state == .crashed }
        return found.map { slot in
            let startedAt = Timestamp(rawValue: slot.startedAt)
            let isYoung = (0...Self.suspectMs).contains(now.ms(since: startedAt))
            let isSuspected = isYoung && !hasCulprit
            var run = InFlight(
                run: RunID(rawValue: slot.run),
                job: JobID(rawValue: slot.job),
                attempt: Attempt(rawValue: Int(clamping: max(0, slot.attempt))),
                startedAt: startedAt,
                blame: slot.state == .crashed ? .crashed : isSuspected ? .suspected : .none
            )
            run.unwritten = slot.unwritten == 0 ? nil : slot.unwritten
            return run
        }
    }

    /// From here on slots belong to this run. Call it after what was found has been written down.
    func begin(_ run: RunID) {
        slots.update(repeating: Slot(), count: Self.slotCount)
        elsewhere.pointee = 0
        self.run.store(run.rawValue, ordering: .relaxed)
    }

    /// A slot for the calling thread, nil when all are taken.
    func claim() -> Int? {
        let slot = claimed.withLock { claimed in
            (0..<Self.slotCount).first { claimed.insert($0).inserted }
        }
        if let slot { slots[slot].thread = clinux_thread_id() }
        return slot
    }

    func release(_ slot: Int) {
        slots[slot].state = .empty
        _ = claimed.withLock { $0.remove(slot) }
    }

    /// The state goes last, so that a slot that says "running" is whole.
    func enter(_ slot: Int, _ order: Order, at now: Timestamp) {
        slots[slot].run = run.load(ordering: .relaxed)
        slots[slot].job = order.job.rawValue
        slots[slot].attempt = Int64(order.attempt.rawValue)
        slots[slot].unwritten = order.unwritten ?? 0
        slots[slot].startedAt = now.rawValue
        atomicMemoryFence(ordering: .releasing)
        slots[slot].state = .running
    }

    /// The process ends now, and none of its runs is to blame.
    func forgive() { elsewhere.pointee = 1 }

    func leave(_ slot: Int) { slots[slot].state = .empty }

    /// Lets crashing threads find their slots.
    func watchCrashes() {
        installCrashMark(slots: slots, count: Self.slotCount, elsewhere: elsewhere)
    }
}
