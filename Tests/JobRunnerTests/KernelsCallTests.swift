import JobCore
import JobTesting
import JobWire
import Testing

@testable import JobRunner

/// How the frames of a direct call become a kernel's input.
@Suite("What kernels are called with") struct KernelsCallTests {
    private func echoed(_ frames: [[UInt8]]) throws -> [[UInt8]] {
        let output = try EchoKernel().compute(KernelInput(call: frames), KernelRun())
        let head = ResultHead(format: output.format, totalBytes: Int64(output.bytes.count))
        let id = JobID(rawValue: 1)
        let end = JobEnd(id: id, state: .succeeded, attempt: Attempt(rawValue: 1), failure: nil)
        return JobResult(end: end, head: head, bytes: output.bytes).frames
    }

    @Test func `one frame that is JSON is the input as it is`() throws {
        for text in [#"{"a": 1}"#, " [1, 2]\n", "7", "\"x\"", "null", #"{"$frame": 1}"#] {
            let input = KernelInput(call: [Array(text.utf8)])
            #expect(input.raw == Array(text.utf8))
            #expect(input.frames.isEmpty)
            #expect(throws: Never.self) { try input.json() }
        }
    }

    @Test func `one frame that is no JSON is binary`() throws {
        for frame: [UInt8] in [[], [0xFF], Array("Hello world".utf8), Array("{} {}".utf8)] {
            let input = KernelInput(call: [frame])
            #expect(try input.json() == ["$frame": 1])
            #expect(try input.frame(input.json()) == frame)
        }
    }

    @Test func `several frames are binary, one by one`() throws {
        let frames: [[UInt8]] = [Array("{}".utf8), [], [1]]
        let input = KernelInput(call: frames)
        #expect(try input.json() == [["$frame": 1], ["$frame": 2], ["$frame": 3]])
        for (number, frame) in zip(1..., frames) {
            #expect(try input.frame(["$frame": .integer(Int64(number))]) == frame)
        }
        #expect(KernelInput(call: []).raw == Array("[]".utf8))
    }

    @Test func `echo gives every frame back, byte for byte`() throws {
        let odd = [" {\"a\": 1}\n", #"{"$frame": 1}"#, #"[{"$frame":1}]"#, "", "\u{FEFF}{}", "nul"]
        for text in odd { #expect(try echoed([Array(text.utf8)]) == [Array(text.utf8)]) }
        var random = SeededGenerator(seed: 8)
        for _ in 0..<500 {
            let frames = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                (0..<Int.random(in: 0...6, using: &random)).map { _ in
                    Array("{}[]:,\"$frame0123 ".utf8 + [0, 255]).randomElement(using: &random) ?? 0
                }
            }
            #expect(try echoed(frames) == frames)
        }
    }

    @Test func `a kernel that wants JSON says what is wrong with a frame`() throws {
        for text in ["Hello", #"{"to": 1"#, #"{"to": 1} x"#] {
            let frame = Array(text.utf8)
            let problem = #expect(throws: JSONError.self) { try JSON(parsing: frame) }
            let error = #expect(throws: KernelError.self) {
                try CountKernel().compute(KernelInput(call: [frame]), KernelRun())
            }
            #expect(error?.summary == "The input must be an object, not a binary frame.")
            #expect(error?.hint == problem?.summary)
        }
        let error = #expect(throws: KernelError.self) {
            try CountKernel().compute(KernelInput(call: [[], []]), KernelRun())
        }
        #expect(error?.summary == "The input must be an object, not an array.")
    }

    @Test(arguments: KernelRegistry.standard.names)
    func `no frames do harm to a kernel`(name: String) throws {
        let kernel = try #require(KernelRegistry.standard[name])
        let samples: [[[UInt8]]] = [
            [], [[]], [[0]], [[0xFF, 0xFE]], [Array("{".utf8)], [Array("[".utf8), [1]],
            [Array(#"{"numbers":"#.utf8)], [Array(#"{"numbers":[1,]}"#.utf8)],
            [Array(#"{"bytes":{"$frame":1}}"#.utf8)], [Array(#"{"$frame":9}"#.utf8)],
            [[UInt8]](repeating: [], count: 12),
        ]
        for frames in samples {
            let input = KernelInput(call: frames)
            guard name != "echo" else { continue }
            let error = #expect(throws: KernelError.self) {
                try kernel.compute(input, KernelRun())
            }
            #expect(error?.failure?.isPermanent == true, "\(frames)")
        }
    }

    @Test func `a worker reads the frames of a call in their order`() throws {
        let ear = Ear(Catalog(kernels: ["echo"]))
        let frames: [[UInt8]] = [[2], [], [1]]
        let message = [[1], [], Array("MDPC01".utf8), Array("echo".utf8)] + frames
        guard case .request(.call(let job, _), _) = ear.hear(message) else {
            Issue.record("refused")
            return
        }
        let waiting = Waiting(
            id: JobID(rawValue: 1),
            next: Attempt(rawValue: 1),
            readyAt: Timestamp(rawValue: 0),
            spec: job.spec
        )
        let order = try #require(
            Order.read(Order.frames(for: [Order(sequence: 1, job: waiting)])).first
        )
        let run = ComputeRun(
            work: try ComputeWork(order.body, frames: order.frames),
            order: order,
            kernels: .standard,
            limits: Limits(),
            run: KernelRun()
        )
        let outcome = Outcome(format: .frames, bytes: FrameList.joined(frames))
        #expect(run.endingOrFailure() == .succeeded(outcome))
    }
}
