import Foundation
import JobCore
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

    /// What was asked for in three parts, and what there is of them.
    @Test(arguments: [
        (numbers: 4, parts: 3, isWhole: true), (numbers: 4, parts: 2, isWhole: false),
        (numbers: 2, parts: 2, isWhole: true), (numbers: 2, parts: 1, isWhole: false),
        (numbers: 4, parts: 0, isWhole: false),
    ])
    func `a whole is made of all its parts or not at all`(
        numbers: Int,
        parts: Int,
        isWhole: Bool
    ) throws {
        let input = JSON.array(Array(repeating: 1, count: numbers))
        let ones = Array(repeating: "1", count: numbers).joined(separator: ",")
        let body = Array(#"{"kernel":"sum","input":{"numbers":[\#(ones)]},"parts":3}"#.utf8)
        let inputs = try #require(
            try SumKernel().split(KernelInput(["numbers": input]), into: 3)
        )
        var order = Order(
            sequence: 1,
            job: JobID(rawValue: 1),
            attempt: Attempt(rawValue: 2),
            phase: .reduce,
            kind: .compute,
            timeoutMs: 1_000,
            parts: 3,
            body: body,
            frames: [],
            outputs: []
        )
        for part in inputs.prefix(parts) {
            order.outputs.append(try SumKernel().compute(part, KernelRun()).bytes)
        }
        let run = ComputeRun(
            work: try ComputeWork(body),
            order: order,
            kernels: .standard,
            limits: Limits(),
            run: KernelRun()
        )
        switch run.endingOrFailure() {
        case .succeeded(let outcome):
            #expect(isWhole)
            let sum = Data(#"{"sum":\#(numbers),"count":\#(numbers)}"#.utf8)
            #expect(Data(outcome.bytes) == sum)
        case .failed(let failure):
            #expect(!isWhole && failure.code == .damaged && failure.isPermanent)
        default: Issue.record("it neither succeeded nor failed")
        }
    }

    /// Divides into parts that have the frame 2, and one of their own.
    private struct Sharing: Kernel {
        let name = "sharing"

        func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
            .json(.null)
        }

        func split(_ input: KernelInput, into count: Int) throws(KernelError) -> [KernelInput]? {
            (0..<count).map { place in
                var frames = input.frames
                frames[3] = [UInt8(place)]
                return KernelInput(raw: Array("{}".utf8), frames: frames)
            }
        }
    }

    @Test func `parts share the frames that their parent has, and no others`() throws {
        var kernels = KernelRegistry()
        try kernels.register(Sharing())
        let body = Array(#"{"kernel":"sharing","input":{"$frame":2},"parts":3}"#.utf8)
        let whole = [UInt8](repeating: 7, count: 1 << 20)
        let order = Order(
            sequence: 1,
            job: JobID(rawValue: 1),
            attempt: Attempt(rawValue: 1),
            phase: .split,
            kind: .compute,
            timeoutMs: 1_000,
            parts: 3,
            body: body,
            frames: [Spec.Frame(number: 2, bytes: whole), Spec.Frame(number: 3, bytes: [9])],
            outputs: []
        )
        let run = ComputeRun(
            work: try ComputeWork(body, frames: order.frames),
            order: order,
            kernels: kernels,
            limits: Limits(),
            run: KernelRun()
        )
        guard case .split(let parts) = run.endingOrFailure() else {
            Issue.record("it was not divided")
            return
        }
        #expect(parts.map { $0.frames.map(\.number) } == [[2, 3], [2, 3], [2, 3]])
        #expect(parts.allSatisfy { $0.frames.map(\.isShared) == [true, false] })
        #expect(parts.allSatisfy { $0.ownBytes < 1_000 })
        let places = parts.map { $0.frames[0].bytes.withUnsafeBytes(\.baseAddress) }
        #expect(Set(places) == [whole.withUnsafeBytes(\.baseAddress)])
    }
}
