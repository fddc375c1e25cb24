internal import JobWire

/// Row I: puzzles with the fewest clues that a sudoku can have.
extension BenchStage {
    func measureSudoku(_ load: BenchLoad) throws {
        let puzzles = SudokuPuzzles.made(plan.count(.sudoku), from: SudokuPuzzles.sparse, seed: 5)
        let size = 100
        let groups = stride(from: 0, to: puzzles.count, by: size).map {
            Array(puzzles[$0..<min($0 + size, puzzles.count)])
        }
        let jobs = BenchJobs(
            count: groups.count,
            members: { number in
                let list = groups[number].map { "\"\($0)\"" }.joined(separator: ",")
                return #""kernel":"sudoku","input":{"puzzles":[\#(list)]}"#
            },
            isRight: { number, bytes in
                let found = (try? JSON(parsing: bytes))?["solutions"]?.arrayValue ?? []
                return found.count == groups[number].count
                    && zip(groups[number], found).allSatisfy {
                        SudokuPuzzles.solves($0, $1.stringValue ?? "")
                    }
            }
        )
        let found = try load.endToEnd(jobs, batch: min(plan.batch, 20))
        book.note(
            .init(row: .sudoku, unit: "puzzles/s", goal: .atLeast(25_000)),
            found.perSecond * Double(puzzles.count) / Double(groups.count)
        )
    }
}

/// Puzzles with one solution each.
enum SudokuPuzzles {
    /// Different ones by chance: others' digits, rows, columns, bands, stacks and diagonal changed
    /// places, which leaves the number of solutions as it is.
    static func made(_ count: Int, from known: [String], seed: UInt64) -> [String] {
        var random = SeededNumbers(seed: seed)
        return (0..<count).map { changed(known[$0 % known.count], &random) }
    }

    private static func changed(_ puzzle: String, _ random: inout SeededNumbers) -> String {
        let cells = Array(puzzle.utf8)
        var digits = Array(UInt8(ascii: "1")...UInt8(ascii: "9")).shuffled(using: &random)
        digits.insert(UInt8(ascii: "."), at: 0)
        let rows = lines(&random)
        let columns = lines(&random)
        let isFlipped = Bool.random(using: &random)
        var text: [UInt8] = []
        for row in rows {
            for column in columns {
                let cell = cells[isFlipped ? column * 9 + row : row * 9 + column]
                text.append(digits[Int(cell - UInt8(ascii: "0"))])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nine places: bands in another order, and the three of each band.
    private static func lines(_ random: inout SeededNumbers) -> [Int] {
        (0..<3).shuffled(using: &random).flatMap { band in
            (0..<3).shuffled(using: &random).map { band * 3 + $0 }
        }
    }

    /// Whether it has every digit once in each row, column and box, and the clues where they were.
    static func solves(_ puzzle: String, _ solution: String) -> Bool {
        let (clues, cells) = (Array(puzzle.utf8), Array(solution.utf8))
        guard cells.count == 81, clues.count == 81 else { return false }
        guard zip(clues, cells).allSatisfy({ $0 == UInt8(ascii: ".") || $0 == $1 }) else {
            return false
        }
        let all = Set(UInt8(ascii: "1")...UInt8(ascii: "9"))
        return (0..<9).allSatisfy { place in
            let (top, left) = (place / 3 * 3, place % 3 * 3)
            let row = (0..<9).map { cells[place * 9 + $0] }
            let column = (0..<9).map { cells[$0 * 9 + place] }
            let box = (0..<9).map { cells[(top + $0 / 3) * 9 + left + $0 % 3] }
            return Set(row) == all && Set(column) == all && Set(box) == all
        }
    }

    /// Puzzles that people call the hardest, and that take a program some hundred guesses: one by
    /// Arto Inkala (2012), "Golden Nugget" and "Easter Monster". 0 is an empty cell.
    static let hard = [
        "800000000003600000070090200050007000000045700000100030001000068008500010090000400",
        "000000039000001005003050800008090006070002000100400000009080050020000600400700000",
        "100000002090400050006000700050903000000070000000850040700000600030009080002000001",
    ]

    /// Some of Gordon Royle's list of puzzles with 17 clues, of which he found 49 000 and which
    /// G. McGuire proved to be the fewest.
    static let sparse = [
        "000000010400000000020000000000050407008000300001090000300400200050100000000806000",
        "000000010400000000020000000000050604008000300001090000300400200050100000000807000",
        "000000012000035000000600070700000300000400800100000000000120000080000040050000600",
        "000000012003600000000007000410020000000500300700000600280000040000300500000000000",
        "000000012008030000000000040120500000000004700060000000507000300000620000000100000",
        "000000012040050000000009000070600400000100000000000050000087500601000300200000000",
        "000000012300000060000040000900000500000001070020000000000350400001400800060000000",
        "000000012400090000000000050070200000600000400000108000018000000000030700502000000",
        "000000012500008000000700000600120000700000450000030000030000800000500700020000000",
        "000000012700060000000000050080200000600000400000109000019000000000030800502000000",
        "000000012800040000000000060090200000700000400000501000015000000000030900602000000",
        "000000012980000000000600000100700080402000000000300600070000300050040000000010000",
        "000000013000030080070000000000206000030000900000010000600500204000400700100000000",
        "000000013000200000000000080000760200008000400010000000200000750600340000000008000",
        "000000013000500070000802000000400900107000000000000200890000050040000600000010000",
        "000000013000700060000508000000400800106000000000000200740000050020000400000010000",
        "000000013000700060000509000000400900106000000000000200740000050080000400000010000",
        "000000013000800070000502000000400900107000000000000200890000050040000600000010000",
        "000000013020500000000000000103000070000802000004000000000340500670000200000010000",
    ]
}
