internal import CLinux
internal import Glibc

// What a crashing thread does on its way out: it finds its slot of the in-flight ledger and marks
// it, or marks that no job is to blame. Everything here runs inside a signal handler, where only
// system calls and plain stores are safe.

nonisolated(unsafe) private var ledger: UnsafeMutablePointer<InFlightLedger.Slot>?
nonisolated(unsafe) private var ledgerCount = 0
nonisolated(unsafe) private var ledgerElsewhere: UnsafeMutablePointer<Int64>?

/// How the names of threads begin that run no job: libzmq's and ours. A thread that a kernel starts
/// has its worker's name, and one that gives itself another name is not believed to be innocent.
nonisolated(unsafe) private var withoutJobs: [UnsafeMutablePointer<CChar>?] = []

/// What a trap, a wild pointer or an abort sends.
private let crashSignals = [SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGTRAP]

/// Installs the mark for all threads. The signal then does what it would have done without it.
///
/// `elsewhere` becomes 1 when a thread crashes that runs no job.
func installCrashMark(
    slots: UnsafeMutablePointer<InFlightLedger.Slot>,
    count: Int,
    elsewhere: UnsafeMutablePointer<Int64>
) {
    ledger = slots
    ledgerCount = count
    ledgerElsewhere = elsewhere
    // Never freed: a crash may come at any time.
    withoutJobs = (["ZMQbg/"] + RunnerThread.allCases.map(\.rawValue)).map { strdup($0) }
    var action = sigaction()
    action.__sigaction_handler.sa_handler = markCrash
    // On its own stack, for the other may be used up; once, so that the second time is final.
    let flags = UInt32(truncatingIfNeeded: SA_ONSTACK) | UInt32(truncatingIfNeeded: SA_RESETHAND)
    action.sa_flags = CInt(bitPattern: flags)
    for signal in crashSignals { sigaction(signal, &action, nil) }
}

private func markCrash(_ signal: CInt) {
    let thread = clinux_thread_id()
    if runsNoJob(thread) {
        ledgerElsewhere?.pointee = 1
    } else if let ledger {
        for slot in 0..<ledgerCount
        where ledger[slot].thread == thread && ledger[slot].state == .running {
            ledger[slot].state = .crashed
        }
    }
    // Returning repeats the faulting instruction, now with the default action; but a signal that
    // was sent, as by `abort`, would be lost.
    raise(signal)
}

/// The process's first thread is the broker's, or that of a program that has a runner within it.
private func runsNoJob(_ thread: CInt) -> Bool {
    if thread == getpid() { return true }
    for name in withoutJobs where clinux_thread_name_begins(name) != 0 { return true }
    return false
}

/// Gives the calling thread a stack for signals, until the thread ends.
///
/// - Returns: What must be kept until then.
func makeSignalStack() -> UnsafeMutableRawPointer {
    let bytes = 64 << 10
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
    var stack = stack_t(ss_sp: memory, ss_flags: 0, ss_size: bytes)
    sigaltstack(&stack, nil)
    return memory
}
