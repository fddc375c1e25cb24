import Foundation
import SQLite
import Synchronization
import Testing

@Suite("Interrupt") struct InterruptTests {
    @Test func `another thread ends a running statement`() throws {
        let connection = try Connection()
        let interrupt = connection.interrupt
        let hasStarted = DispatchSemaphore(value: 0)
        let isOver = Atomic(false)
        let deadline = ContinuousClock.now + .seconds(60)
        var isSignalled = false
        connection.onProgress(every: 1_000) {
            if !isSignalled { hasStarted.signal() }
            isSignalled = true
            return ContinuousClock.now < deadline
        }

        try withThread {
            hasStarted.wait()
            while !isOver.load(ordering: .acquiring) { interrupt() }
        } during: {
            let failure = #expect(throws: SQLiteError.self) {
                try connection.rows(
                    """
                    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
                    SELECT count(*) FROM n
                    """
                )
            }
            isOver.store(true, ordering: .releasing)
            #expect(failure?.isInterrupted == true)
            #expect(ContinuousClock.now < deadline)
        }
    }

    @Test func `after the connection is closed it does nothing`() throws {
        var connection: Connection? = try Connection()
        let interrupt = try #require(connection?.interrupt)
        interrupt()
        #expect(try connection?.row("SELECT 1") == [1])
        connection = nil
        interrupt()
    }

    /// Runs `other` on a thread of its own and waits for it after `body`.
    private func withThread(
        _ other: @escaping @Sendable () -> Void,
        during body: () throws -> Void
    ) throws {
        let isDone = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            other()
            isDone.signal()
        }
        defer { isDone.wait() }
        try body()
    }
}
