internal import Glibc
internal import Synchronization

/// One run of a kernel, as the kernel sees it: whether it should stop, and whom to tell how far it
/// is. The worker that runs it and whoever cancels it share this object.
public final class KernelRun: Sendable {
    /// How far a run is, in steps of the kernel's choice.
    public struct Progress: Equatable, Sendable {
        public let done: Int
        public let total: Int
    }

    let deadline: ContinuousClock.Instant?
    private let cancelled = Atomic(false)
    private let lastProgress = Mutex<Progress?>(nil)
    private let bell = Bell()
    private let passOn: (@Sendable (Progress) -> Void)?

    /// - Parameter deadline: The moment from which the run counts as cancelled, or nil for never.
    public convenience init(deadline: ContinuousClock.Instant? = nil) {
        self.init(deadline: deadline, passingOn: nil)
    }

    /// `passOn` is given all progress, on the thread that tells it.
    init(deadline: ContinuousClock.Instant?, passingOn passOn: (@Sendable (Progress) -> Void)?) {
        self.deadline = deadline
        self.passOn = passOn
    }

    /// True when the output is not wanted any more: the run was cancelled, or its time is over.
    ///
    /// Costs an atomic load and, when there is a deadline, a look at the clock (some 50 ns). So ask
    /// once for each 10 µs of work or more.
    public var isCancelled: Bool {
        if isAskedToStop { return true }
        guard let deadline else { return false }
        return ContinuousClock.now >= deadline
    }

    /// The same without the deadline: an atomic load and nothing more.
    var isAskedToStop: Bool { cancelled.load(ordering: .relaxed) }

    /// - Throws: `.brokenOff` when the run is cancelled.
    public func throwIfCancelled() throws(KernelError) {
        if isCancelled { throw .brokenOff }
    }

    /// Tells how far the run is; `done` goes up to `total`. Shown to whoever asks or listens, and
    /// never stored.
    public func progress(done: Int, total: Int) {
        let progress = Progress(done: done, total: total)
        lastProgress.withLock { $0 = progress }
        passOn?(progress)
    }

    /// Blocks the thread, without load, and returns at once when the run is cancelled.
    ///
    /// - Throws: `.brokenOff` when the run was cancelled before the time had passed.
    public func sleep(for duration: Duration) throws(KernelError) {
        let end = ContinuousClock.now + duration
        while !isCancelled {
            let rest = ContinuousClock.now.duration(to: deadline.map { min($0, end) } ?? end)
            guard rest > .zero else { break }
            bell.wait(atMost: rest) { isAskedToStop }
        }
        if ContinuousClock.now < end { throw .brokenOff }
    }

    // MARK: For the other side

    /// Asks the run to stop; it does so at its next look. From any thread, any number of times.
    public func cancel() {
        cancelled.store(true, ordering: .relaxed)
        bell.ring()
    }

    /// What the run has told last.
    public var progress: Progress? { lastProgress.withLock { $0 } }
}

/// Wakes a sleeping run. The standard library has locks but no condition to wait for.
private final class Bell: @unchecked Sendable {
    // Safe to share: POSIX objects at a fixed address, used only through their own functions.
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        lock.initialize(to: pthread_mutex_t())
        condition.initialize(to: pthread_cond_t())
        pthread_mutex_init(lock, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(lock)
        condition.deallocate()
        lock.deallocate()
    }

    func ring() {
        pthread_mutex_lock(lock)
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(lock)
    }

    /// Returns after `duration`, or after a ring, or for no reason. `isRung` is asked under the
    /// lock, so that no ring falls between the question and the wait.
    func wait(atMost duration: Duration, unless isRung: () -> Bool) {
        let (seconds, attoseconds) = duration.components
        var moment = timespec()
        clock_gettime(CLOCK_MONOTONIC, &moment)
        moment.tv_sec += Int(seconds)
        moment.tv_nsec += Int(attoseconds / 1_000_000_000)
        if moment.tv_nsec >= 1_000_000_000 {
            moment.tv_nsec -= 1_000_000_000
            moment.tv_sec += 1
        }
        pthread_mutex_lock(lock)
        if !isRung() { pthread_cond_timedwait(condition, lock, &moment) }
        pthread_mutex_unlock(lock)
    }
}
