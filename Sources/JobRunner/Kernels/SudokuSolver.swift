/// Solves one sudoku, and tells whether the solution is the only one.
///
/// Settles what is certain and then tries, cell by cell, the digits that are left: depth first, a
/// cell with the fewest digits next.
struct SudokuSolver {
    private let run: KernelRun
    private let houses: SudokuHouses
    private var solutions: [String] = []
    private var guesses = 0

    /// Guesses between two looks at the cancellation: about a millisecond.
    private static let blockGuesses = 1 << 9

    private init(_ houses: SudokuHouses, _ run: KernelRun) {
        self.houses = houses
        self.run = run
    }

    /// The houses are not to be shared with other threads that solve: to count references to the
    /// same tables costs each of them a fifth of its speed.
    ///
    /// - Returns: The one solution, 81 digits, or why there is none or more than one.
    /// - Throws: `.brokenOff` only.
    static func solve(
        _ puzzle: String,
        _ houses: SudokuHouses,
        _ run: KernelRun
    ) throws(KernelError) -> Result<String, Problem> {
        let clues: [Clue]
        var solver = SudokuSolver(houses, run)
        var grid = SudokuGrid()
        switch read(puzzle) {
        case .failure(let problem): return .failure(problem)
        case .success(let found): clues = found
        }
        for (place, clue) in clues.enumerated()
        where !grid.put(clue.digit, in: clue.cell, solver.houses) {
            let peers = solver.houses.peers[clue.cell]
            let repeated = clues[..<place].first {
                $0.digit == clue.digit && peers & 1 << UInt128($0.cell) != 0
            }
            return .failure(.repeated(clue, at: repeated ?? clue))
        }
        try solver.search(grid)
        guard let solution = solver.solutions.first else { return .failure(.noSolution) }
        return solver.solutions.count == 1 ? .success(solution) : .failure(.severalSolutions)
    }

    private mutating func search(_ start: SudokuGrid) throws(KernelError) {
        var grid = start
        guard grid.settleSingles(houses) else { return }
        guard let cell = grid.choice else {
            solutions.append(grid.text)
            return
        }
        for digit in 0..<9 where grid.allows(digit, in: cell) {
            guesses += 1
            if guesses % Self.blockGuesses == 0 { try run.throwIfCancelled() }
            var next = grid
            next.choose(digit, in: cell, houses)
            try search(next)
            if solutions.count > 1 { return }
        }
    }

    /// A digit (0 to 8) that the puzzle gives.
    struct Clue: Equatable {
        let digit: Int
        let cell: Int
    }

    private static func read(_ puzzle: String) -> Result<[Clue], Problem> {
        var clues: [Clue] = []
        var cell = 0
        for byte in puzzle.utf8 {
            switch byte {
            case UInt8(ascii: "."), UInt8(ascii: "0"): break
            case UInt8(ascii: "1")...UInt8(ascii: "9"):
                clues.append(Clue(digit: Int(byte - UInt8(ascii: "1")), cell: cell))
            default: return .failure(misfit(in: puzzle))
            }
            cell += 1
        }
        return cell == 81 ? .success(clues) : .failure(misfit(in: puzzle))
    }

    /// What is wrong with a puzzle that does not consist of 81 digits and dots. People count
    /// characters, however many bytes one has.
    private static func misfit(in puzzle: String) -> Problem {
        let characters = Array(puzzle)
        let wrong = characters.firstIndex { !isCell($0) }
        guard characters.count == 81, let wrong else { return .wrongLength(characters.count) }
        return .wrongCharacter(characters[wrong], at: wrong)
    }

    private static func isCell(_ character: Character) -> Bool {
        character == "." || (character.isASCII && character.isWholeNumber)
    }

    /// Why a puzzle has no answer.
    enum Problem: Error, Equatable {
        case wrongLength(Int)
        case wrongCharacter(Character, at: Int)
        case repeated(Clue, at: Clue)
        case noSolution
        case severalSolutions
    }
}

extension SudokuSolver.Problem {
    /// One sentence. Rows, columns and characters count from 1.
    var message: String {
        switch self {
        case .wrongLength(let count): "The puzzle has \(count) characters instead of 81."
        case .wrongCharacter(let character, let cell):
            "Character \(cell + 1) is \"\(character)\", not a digit or a dot."
        case .repeated(let clue, let earlier):
            "The \(clue.digit + 1) in \(name(clue.cell)) is in \(name(earlier.cell)) as well."
        case .noSolution: "There is no solution."
        case .severalSolutions: "There are several solutions."
        }
    }

    private func name(_ cell: Int) -> String { "row \(cell / 9 + 1), column \(cell % 9 + 1)" }
}
