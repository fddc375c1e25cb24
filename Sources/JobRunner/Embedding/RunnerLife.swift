internal import Synchronization

/// The course of a runner on another thread, as those see it who await its beginning or its end.
final class RunnerLife: Sendable {
    private typealias Beginning = CheckedContinuation<[String], any Error>
    private typealias Ending = CheckedContinuation<Runner.End, any Error>

    private struct Course {
        var awaitsBeginning: Beginning?
        var awaitEnd: [Ending] = []
        /// Set once jobs are taken.
        var stop: (@Sendable () -> Void)?
        var end: Result<Runner.End, any Error>?
    }

    private let course = Mutex(Course())

    // MARK: For the runner's thread

    func begins(at endpoints: [String], stop: @escaping @Sendable () -> Void) {
        let beginning = course.withLock { course in
            course.stop = stop
            return course.awaitsBeginning.take()
        }
        beginning?.resume(returning: endpoints)
    }

    func ends(_ end: Result<Runner.End, any Error>) {
        let (beginning, waiting) = course.withLock { course in
            course.end = end
            defer { course.awaitEnd = [] }
            return (course.awaitsBeginning.take(), course.awaitEnd)
        }
        for one in waiting { one.resume(with: end) }
        guard let beginning else { return }
        // It had begun, if its end was a good one.
        beginning.resume(with: end.map { _ in [String]() })
    }

    // MARK: For everybody else

    /// Awaits the beginning of what `start` starts. To be called once.
    ///
    /// - Returns: The endpoints.
    /// - Throws: Why it has ended before it began.
    func beginning(of start: () -> Void) async throws -> [String] {
        try await withCheckedThrowingContinuation { (beginning: Beginning) in
            course.withLock { $0.awaitsBeginning = beginning }
            start()
        }
    }

    func askToStop() { course.withLock(\.stop)?() }

    var end: Runner.End {
        get async throws {
            try await withCheckedThrowingContinuation { (waiting: Ending) in
                let end = course.withLock { course in
                    if course.end == nil { course.awaitEnd.append(waiting) }
                    return course.end
                }
                if let end { waiting.resume(with: end) }
            }
        }
    }
}
