internal import JobWire

/// Row M: a job alone, and the same in two parts.
extension BenchStage {
    /// A kernel and its input, as long as the plan says.
    private struct Work {
        let kernel: String
        let input: String
    }

    func measureFanOut(_ load: BenchLoad) throws {
        let line = try load.target.line()
        for work in fanOutWork {
            // Whichever comes first finds the kernel's tables in no cache.
            _ = try run(work, parts: 2, load.target, line)
            let whole = try run(work, parts: 1, load.target, line)
            let divided = try run(work, parts: 2, load.target, line)
            guard whole.result == divided.result else {
                throw BenchError.wrong("\(work.kernel) in two parts has another result")
            }
            book.note(
                .init(row: .fanOut, name: work.kernel, unit: "×", goal: .atLeast(1.9)),
                whole.seconds / divided.seconds
            )
        }
    }

    /// Each takes a core about as long as the others.
    private var fanOutWork: [Work] {
        let count = min(plan.count(.fanOut), 10_000)
        let puzzles = SudokuPuzzles.made(count, from: SudokuPuzzles.hard, seed: 7)
        let list = puzzles.map { "\"\($0)\"" }.joined(separator: ",")
        return [
            Work(kernel: "count", input: #"{"to":\#(count * 200_000)}"#),
            Work(kernel: "primes", input: #"{"below":\#(count * 20_000)}"#),
            Work(kernel: "sudoku", input: #"{"puzzles":[\#(list)]}"#),
        ]
    }

    /// From the submission to the result.
    private func run(
        _ work: Work,
        parts: Int,
        _ target: BenchTarget,
        _ line: BenchLine
    ) throws -> (seconds: Double, result: [UInt8]) {
        let job =
            #"{"kernel":"\#(work.kernel)","input":\#(work.input),"parts":\#(parts),"#
            + #""wait_ms":60000\#(target.terms)}"#
        let message = BenchLine.message("job.submit", Array(job.utf8))
        let start = nanoseconds()
        try line.send(message)
        let reply = try line.next()
        let time = seconds(since: start)
        guard let result = reply.result, !result.isEmpty else {
            throw BenchError.wrong("\(work.kernel) has no result")
        }
        return (time, result)
    }
}
