internal import JobWire

/// `sudoku`: solves puzzles, and proves that each solution is the only one.
///
/// Input: `{"puzzles": ["53..7…"]}`, each of 81 characters, row by row; a dot or 0 is an empty
/// cell. Output: `{"solutions": ["5346…", {"error": "There is no solution."}]}`, in the same order:
/// 81 digits, or in words why there are none. Divides by puzzles.
struct SudokuKernel: Kernel {
    let name = "sudoku"

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        let puzzles = try puzzles(of: input)
        let houses = SudokuHouses()
        var solutions: [JSON] = []
        solutions.reserveCapacity(puzzles.count)
        for puzzle in puzzles {
            try run.throwIfCancelled()
            switch try SudokuSolver.solve(puzzle, houses, run) {
            case .success(let solution): solutions.append(.string(solution))
            case .failure(let problem): solutions.append(["error": .string(problem.message)])
            }
            run.progress(done: solutions.count, total: puzzles.count)
        }
        return .json(["solutions": .array(solutions)])
    }

    func split(_ input: KernelInput, into count: Int) throws(KernelError) -> [KernelInput]? {
        let puzzles = try puzzles(of: input)
        let shares = evenShares(of: puzzles.count, into: count)
        guard shares.count > 1 else { return nil }
        var first = 0
        return shares.map { share in
            defer { first += share }
            let part = puzzles[first..<first + share].map { JSON.string($0) }
            return KernelInput(["puzzles": .array(part)])
        }
    }

    func reduce(
        _ outputs: [KernelOutput],
        of input: KernelInput
    ) throws(KernelError) -> KernelOutput {
        var solutions: [JSON] = []
        for output in outputs {
            guard let part = try output.json()["solutions"]?.arrayValue else {
                throw .failed("A part's output has no usable field \"solutions\".")
            }
            solutions += part
        }
        return .json(["solutions": .array(solutions)])
    }

    private func puzzles(of input: KernelInput) throws(KernelError) -> [String] {
        var puzzles: [String] = []
        for (place, element) in try input.fields(["puzzles"]).array("puzzles").enumerated() {
            guard let puzzle = element.stringValue else {
                throw .badInput(
                    field: "puzzles[\(place)]",
                    message: "It must be a string, not \(element.kindName)."
                )
            }
            puzzles.append(puzzle)
        }
        return puzzles
    }
}
