internal import Glibc
public import JobCore
internal import Synchronization

/// The runner's time: wall time that never jumps and never runs backwards.
///
/// Small corrections of the machine's clock are followed. After a jump the old course is kept until
/// the next start, so that delays and times in the store make sense among each other.
public final class RunClock: TimeSource {
    /// A wall clock further away than this has jumped, in ms.
    private static let jumpMs: Int64 = 2_000

    private struct Course {
        /// Wall time less monotonic time, in ms.
        var offset: Int64
        var last: Int64
    }

    private let course: Mutex<Course>

    public init() {
        let offset = milliseconds(CLOCK_REALTIME) - milliseconds(CLOCK_BOOTTIME)
        course = Mutex(Course(offset: offset, last: 0))
    }

    /// How far the machine's clock is from the course that is kept, in ms: more than two seconds
    /// only after a jump.
    public var driftMs: Int64 {
        let offset = milliseconds(CLOCK_REALTIME) - milliseconds(CLOCK_BOOTTIME)
        return offset - course.withLock(\.offset)
    }

    public func now() -> Timestamp {
        let steady = milliseconds(CLOCK_BOOTTIME)
        let offset = milliseconds(CLOCK_REALTIME) - steady
        return course.withLock { course in
            if abs(offset - course.offset) < Self.jumpMs { course.offset = offset }
            course.last = max(course.last, steady + course.offset)
            return Timestamp(rawValue: course.last)
        }
    }
}

private func milliseconds(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
}
