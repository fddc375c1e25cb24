internal import CLinux
internal import Glibc

// What a crashing thread does on its way out: it finds its slot of the in-flight ledger and marks
// it. Everything here runs inside a signal handler, where only system calls and plain stores are
// safe.

nonisolated(unsafe) private var ledger: UnsafeMutablePointer<InFlightLedger.Slot>?
nonisolated(unsafe) private var ledgerCount = 0

/// What a trap, a wild pointer or an abort sends.
private let crashSignals = [SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGTRAP]

/// Installs the mark for all threads. The signal then does what it would have done without it.
func installCrashMark(slots: UnsafeMutablePointer<InFlightLedger.Slot>, count: Int) {
    ledger = slots
    ledgerCount = count
    var action = sigaction()
    action.__sigaction_handler.sa_handler = markCrash
    // On its own stack, for the other may be used up; once, so that the second time is final.
    let flags = UInt32(truncatingIfNeeded: SA_ONSTACK) | UInt32(truncatingIfNeeded: SA_RESETHAND)
    action.sa_flags = CInt(bitPattern: flags)
    for signal in crashSignals { sigaction(signal, &action, nil) }
}

private func markCrash(_ signal: CInt) {
    let thread = clinux_thread_id()
    if let ledger {
        for slot in 0..<ledgerCount
        where ledger[slot].thread == thread && ledger[slot].state == .running {
            ledger[slot].state = .crashed
        }
    }
    // Returning repeats the faulting instruction, now with the default action; but a signal that
    // was sent, as by `abort`, would be lost.
    raise(signal)
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
