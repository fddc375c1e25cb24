import JobTesting
import JobWire
import Testing

@testable import JobRunner

@Suite("sudoku") struct SudokuTests {
    /// Published as the hardest of their time.
    static let hardest = [
        // Inkala 2012
        "8..........36......7..9.2...5...7.......457.....1...3...1....68..85...1..9....4..",
        // Inkala 2010
        "..53.....8......2..7..1.5..4....53...1..7...6..32...8..6.5....9..4....3......97..",
        // Al Escargot
        "1....7.9..3..2...8..96..5....53..9...1..8...26....4...3......1..4......7..7...3..",
        // platinum blonde
        ".......12........3..23..4....18....5.6..7.8.......9.....85.....9...4.5..47...6...",
        // golden nugget
        ".......39.....1..5..3.5.8....8.9...6.7...2...1..4.......9.8..5..2....6..4..7.....",
        // easter monster
        "1.......2.9.4...5...6...7...5.9.3.......7.......85..4.7.....6...3...9.8...2.....1",
    ]

    /// From Gordon Royle's list; no puzzle with fewer clues has one solution.
    static let seventeenClues = [
        "...8.1..........435............7.8........1...2..3....6......75..34........2..6..",
        "000000010400000000020000000000050407008000300001090000300400200050100000000806000",
        "000000012000035000000600070700000300000400800100000000000120000080000040050000600",
        "000000012003600000000007000410020000000500300700000600280000040000300500000000000",
        "000000025000000070800000000600000103000070400000020000053100000020005000000600300",
    ]

    static let solved =
        "534678912672195348198342567859761423426853791713924856961537284287419635345286179"

    static func solve(_ puzzle: String) throws -> JSON {
        let output = try compute(SudokuKernel(), ["puzzles": [.string(puzzle)]])
        let solutions = try #require(output["solutions"]?.arrayValue)
        #expect(solutions.count == 1)
        return try #require(solutions.first)
    }

    @Test(arguments: hardest + seventeenClues + [solved])
    func `the solution is the one that trial finds`(puzzle: String) throws {
        let expected = Trial.solutions(of: puzzle, atMost: 2)
        #expect(expected.count == 1)
        #expect(try Self.solve(puzzle).stringValue == expected.first)
    }

    /// Each clue left out in turn, and each changed: none, one or several, as trial finds.
    @Test(arguments: [seventeenClues[1], hardest[1]])
    func `none and several are told apart`(puzzle: String) throws {
        let messages = ["There is no solution.", nil, "There are several solutions."]
        var random = SeededGenerator(seed: 1)
        for place in 0..<81 where puzzle.utf8.map(Int.init)[place] > 48 {
            var changed = Array(puzzle)
            changed[place] = ["0", ".", "1", "5", "9"].randomElement(using: &random) ?? "0"
            let text = String(changed)
            guard isConsistent(text) else { continue }
            let expected = Trial.solutions(of: text, atMost: 2)
            let found = try Self.solve(text)
            #expect(found["error"]?.stringValue == messages[expected.count], "\(text)")
            if expected.count == 1 { #expect(found.stringValue == expected.first, "\(text)") }
        }
    }

    @Test func `a puzzle without an answer says why, and the others are solved`() throws {
        let dots = String(repeating: ".", count: 81)
        func puzzle(_ start: String) -> String { start + dots.dropFirst(start.count) }
        let table: [(String, String)] = [
            ("", "The puzzle has 0 characters instead of 81."),
            (dots + ".", "The puzzle has 82 characters instead of 81."),
            (puzzle("12x"), "Character 3 is \"x\", not a digit or a dot."),
            (puzzle("١"), "Character 1 is \"١\", not a digit or a dot."),
            (puzzle("1.......1"), "The 1 in row 1, column 9 is in row 1, column 1 as well."),
            (puzzle("..7......" + "7"), "The 7 in row 2, column 1 is in row 1, column 3 as well."),
            (puzzle("12345678." + "........9"), "There is no solution."),
            (dots, "There are several solutions."),
        ]
        let puzzles = table.map { JSON.string($0.0) } + [.string(Self.solved)]
        let solutions = try compute(SudokuKernel(), ["puzzles": .array(puzzles)])["solutions"]
        let expected = table.map { JSON.object(["error": .string($0.1)]) }
        #expect(solutions == .array(expected + [.string(Self.solved)]))
    }

    @Test func `every number of parts gives the same solutions in the same order`() throws {
        let puzzles = (Self.seventeenClues + ["", Self.solved]).map { JSON.string($0) }
        let input = KernelInput(["puzzles": .array(puzzles)])
        let whole = try SudokuKernel().compute(input, KernelRun())
        for count in [1, 2, 3, 4, 5, 6, 7, 8, 1_024] {
            #expect(try compute(SudokuKernel(), input, parts: count) == whole, "\(count) parts")
        }
    }
}

extension JSON {
    fileprivate static func object(_ members: KeyValuePairs<String, JSON>) -> JSON {
        var object = JSONObject()
        for (key, value) in members { _ = object.append(key, value) }
        return .object(object)
    }
}

/// Trial and nothing else: the empty cell with the fewest digits that fit, then each of them.
private struct Trial {
    private var cells = [Int](repeating: 0, count: 81)
    /// For each row, column and box, a bit for each digit that stands there.
    private var taken = [Int](repeating: 0, count: 27)
    private let limit: Int
    private var found: [String] = []

    static func solutions(of puzzle: String, atMost limit: Int) -> [String] {
        var trial = Trial(limit: limit)
        for (cell, byte) in puzzle.utf8.enumerated() where byte > UInt8(ascii: "0") {
            trial.flip(Int(byte) - 48, in: cell)
        }
        trial.search()
        return trial.found
    }

    private init(limit: Int) { self.limit = limit }

    private func box(_ cell: Int) -> Int { 18 + cell / 27 * 3 + cell % 9 / 3 }

    /// Puts the digit there, or takes it away.
    private mutating func flip(_ digit: Int, in cell: Int) {
        cells[cell] = digit - cells[cell]
        for house in [cell / 9, 9 + cell % 9, box(cell)] { taken[house] ^= 1 << digit }
    }

    private mutating func search() {
        var best = (cell: -1, free: 0, count: 10)
        for cell in 0..<81 where cells[cell] == 0 {
            let free = 0x3FE & ~(taken[cell / 9] | taken[9 + cell % 9] | taken[box(cell)])
            if free.nonzeroBitCount < best.count { best = (cell, free, free.nonzeroBitCount) }
            if best.count < 2 { break }
        }
        guard best.cell >= 0 else {
            found.append(cells.map(String.init).joined())
            return
        }
        for digit in 1...9 where best.free & 1 << digit != 0 && found.count < limit {
            flip(digit, in: best.cell)
            search()
            flip(digit, in: best.cell)
        }
    }
}

/// True when no digit stands twice in a house.
private func isConsistent(_ puzzle: String) -> Bool {
    let cells = Array(puzzle)
    for a in 0..<80 where cells[a] != "." && cells[a] != "0" {
        for b in (a + 1)..<81 where cells[b] == cells[a] {
            let sameBox = a / 27 == b / 27 && a % 9 / 3 == b % 9 / 3
            if a / 9 == b / 9 || a % 9 == b % 9 || sameBox { return false }
        }
    }
    return true
}
