internal import Glibc

/// Time that only goes forward, in ns.
func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

func seconds(since start: UInt64) -> Double { Double(nanoseconds() - start) / 1e9 }

/// Processor time of this process, in all of its threads.
func clientCPUSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Lets others work; a signal may cut it short.
func pause(ms: CInt) { poll(nil, 0, ms) }

extension StopSignals {
    /// Ends the bench where it is asked to end.
    func check() throws(BenchError) {
        if isPending { throw .stopped }
    }
}
