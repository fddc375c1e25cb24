import Foundation
import JobWire
import Testing

@testable import JobRunner

@Suite("Runs that are broken off") struct KernelsRunTests {
    /// More work than these tests have time for.
    static let long: [String: JSON] = [
        "count": ["to": 9_007_199_254_740_992], "primes": ["below": 1_000_000_000_000],
        "sleep": ["ms": 604_800_000],
        "sudoku": [
            "puzzles": .array(Array(repeating: .string(SudokuTests.hardest[0]), count: 2_000))
        ],
    ]

    @Test(arguments: long.keys.sorted())
    func `a run ends when it is cancelled`(name: String) throws {
        let kernel = try #require(KernelRegistry.standard[name])
        let input = KernelInput(try #require(Self.long[name]))
        let run = KernelRun()
        Thread.detachNewThread {
            // A sleep tells no progress; there, the cancellation may come before the run.
            while name != "sleep", run.progress == nil, !run.isCancelled { sched_yield() }
            run.cancel()
        }
        #expect(throws: KernelError.brokenOff) { try kernel.compute(input, run) }
        run.cancel()
    }

    @Test(arguments: long.keys.sorted())
    func `a run ends at its deadline`(name: String) throws {
        let kernel = try #require(KernelRegistry.standard[name])
        let input = KernelInput(try #require(Self.long[name]))
        let run = KernelRun(deadline: .now + .milliseconds(20))
        #expect(throws: KernelError.brokenOff) { try kernel.compute(input, run) }
        #expect(run.isCancelled)
    }

    @Test func `a cancelled run does not begin`() throws {
        let run = KernelRun()
        #expect(!run.isCancelled)
        run.cancel()
        run.cancel()
        let inputs: [String: JSON] = [
            "count": ["to": 1], "primes": ["below": 10], "sleep": ["ms": 60_000],
            "sudoku": ["puzzles": [""]], "digest": ["text": "abc"],
            "sum": ["numbers": .array(Array(repeating: 1, count: 5_000))],
        ]
        for (name, input) in inputs {
            let kernel = try #require(KernelRegistry.standard[name])
            #expect(throws: KernelError.brokenOff, "\(name)") {
                try kernel.compute(KernelInput(input), run)
            }
        }
    }

    @Test func `a run tells how far it is`() throws {
        let run = KernelRun()
        #expect(run.progress == nil)
        _ = try CountKernel().compute(KernelInput(["to": 1_000]), run)
        #expect(run.progress == KernelRun.Progress(done: 1_000, total: 1_000))
    }

    @Test func `a sleep that is over is no cancellation`() throws {
        #expect(try compute(SleepKernel(), ["ms": 1]) == ["slept_ms": 1])
        #expect(try compute(SleepKernel(), ["ms": 0]) == ["slept_ms": 0])
    }
}
