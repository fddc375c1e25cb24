internal import CLinux
internal import Glibc
internal import JobCore
public import Logging

/// The tiny parent of `millrace serve`: holds the lock, runs the runner as a child process, and
/// starts it again when it ends in any way that nobody asked for.
///
/// It opens no store and no socket, so that nothing can end it but a signal.
public struct Supervisor {
    /// Pauses between two starts double from the first to the longest, in ms. A child that lived
    /// for `soundMs` begins anew with the first.
    private static let firstPauseMs = 50
    private static let longestPauseMs = 3_200
    private static let soundMs: Int64 = 10_000
    /// The descriptor under which the child finds the lock.
    public static let lockDescriptor: CInt = 9

    private let stateDirectory: String
    private let arguments: [String]
    private let log: Logger

    /// - Parameters:
    ///   - stateDirectory: Of the child as well; its lock is held from here on.
    ///   - arguments: Of the child, its own name first.
    ///   - log: Where the ends of children are told.
    public init(stateDirectory: String, arguments: [String], log: Logger) {
        self.stateDirectory = stateDirectory
        self.arguments = arguments
        self.log = log
    }

    /// Runs until the child has stopped as asked.
    ///
    /// - Returns: The exit code for this process.
    /// - Throws: What kept the first child from being started, or the lock from being held.
    public func run() throws -> Int32 {
        let lock = try StateDirectory(stateDirectory).lock()
        LockNote.setSupervisor(getpid(), in: lock)
        // Whoever ignores the end of children is told of none, and so would we be.
        signal(SIGCHLD, SIG_DFL)
        var signals = watchedSignals()
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        var pauseMs = Self.firstPauseMs
        var hasWorked = false
        while true {
            let start = steadyMs()
            LockNote.setAtWork(false, in: lock)
            let reason: String
            do throws(SystemError) {
                let (end, wasAsked) = wait(for: try startRunner(lock), signals)
                let wasAtWork = LockNote.isAtWork(in: lock)
                hasWorked = hasWorked || wasAtWork
                // What has worked once is tried again, also when a start fails: the disk may heal.
                // What is damaged does not.
                let isFinal = end.code == RunnerExit.stopped || end.code == RunnerExit.damaged
                let isOver = end.isStop && !wasAtWork && (!hasWorked || isFinal)
                if wasAsked || isOver { return end.code }
                reason = "\(end)"
            } catch {
                guard hasWorked else { throw error }
                reason = error.summary
            }
            log.error(
                "The runner has ended and is started again.",
                metadata: ["reason": "\(reason)"]
            )
            if steadyMs() - start >= Self.soundMs { pauseMs = Self.firstPauseMs }
            if waitsForStop(signals, ms: pauseMs) { return RunnerExit.stopped }
            pauseMs = min(pauseMs * 2, Self.longestPauseMs)
        }
    }

    private func startRunner(_ lock: CInt) throws(SystemError) -> pid_t {
        try spawnSelf(arguments, giving: [(lock, as: Self.lockDescriptor)], to: "start the runner")
    }

    /// Passes on what asks the runner to stop, until the child has ended.
    private func wait(for child: pid_t, _ signals: sigset_t) -> (end: ChildEnd, wasAsked: Bool) {
        var signals = signals
        var wasAsked = false
        while true {
            var end: CInt = 0
            let found = waitpid(child, &end, WNOHANG)
            if found == child { return (ChildEnd(end), wasAsked) }
            if found < 0 && errno != EINTR { return (.unknown, wasAsked) }

            var signal: CInt = 0
            sigwait(&signals, &signal)
            if signal == SIGCHLD { continue }
            kill(child, SIGTERM)
            wasAsked = true
        }
    }

    private func waitsForStop(_ signals: sigset_t, ms: Int) -> Bool {
        var signals = signals
        sigdelset(&signals, SIGCHLD)  // That of a child that is gone would cut the pause short.
        var time = timespec(tv_sec: ms / 1_000, tv_nsec: ms % 1_000 * 1_000_000)
        return sigtimedwait(&signals, nil, &time) > 0
    }
}

extension ChildEnd {
    /// True when, unless it was at work, it was asked to stop or cannot start: starting it again
    /// would change nothing.
    fileprivate var isStop: Bool {
        guard case .exit(let code) = self else { return false }
        return code != RunnerExit.unfit && code != RunnerExit.startAgain
    }
}

/// What is heard of: the child's end, and what asks for a stop. Under nohup a hang-up asks nothing.
private func watchedSignals() -> sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    for signal in [SIGTERM, SIGINT, SIGCHLD] { sigaddset(&signals, signal) }
    if !isIgnored(SIGHUP) { sigaddset(&signals, SIGHUP) }
    return signals
}

private func steadyMs() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
}

/// To be called by the child: it ends with its parent, however that ends.
public func dieWithSupervisor() {
    _ = clinux_die_with_parent(SIGKILL)
    // It may have ended before that, and nobody would send the signal.
    if getppid() != LockNote.supervisor(in: Supervisor.lockDescriptor) { _exit(RunnerExit.stopped) }
}
