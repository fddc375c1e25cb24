/// A sudoku as sets of cells: for each digit, the cells where it may still stand. Cell `9 * row +
/// column` is bit of that number.
///
/// Sets of cells let a handful of machine instructions look at all cells at once.
struct SudokuGrid {
    private var places = InlineArray<9, UInt128>(repeating: all)
    /// Cells whose digit is settled.
    private var solved: UInt128 = 0

    private static let all: UInt128 = 1 << 81 - 1

    /// - Returns: False when the digit (0 to 8) can no longer stand there.
    mutating func put(_ digit: Int, in cell: Int, _ houses: SudokuHouses) -> Bool {
        guard places[digit] & 1 << UInt128(cell) != 0 else { return false }
        settle(digit, 1 << UInt128(cell), houses)
        return true
    }

    private mutating func settle(_ digit: Int, _ cell: UInt128, _ houses: SudokuHouses) {
        for other in 0..<9 { places[other] &= ~cell }
        places[digit] = places[digit] & ~houses.peers[cell.trailingZeroBitCount] | cell
        solved |= cell
    }

    /// Settles every cell with one digit left and every digit with one cell left in a house, until
    /// there are no such.
    ///
    /// - Returns: False when a cell has no digit left, or a house no cell for a digit.
    mutating func settleSingles(_ houses: SudokuHouses) -> Bool {
        repeat {
            guard settleNakedSingles(houses) else { return false }
            switch settleHiddenSingles(houses) {
            case nil: return false
            case true?: continue
            case false?: return true
            }
        } while true
    }

    private mutating func settleNakedSingles(_ houses: SudokuHouses) -> Bool {
        while true {
            var once: UInt128 = 0
            var twice: UInt128 = 0
            for digit in 0..<9 {
                twice |= once & places[digit]
                once |= places[digit]
            }
            guard once == Self.all else { return false }
            let singles = ~twice & ~solved & Self.all
            if singles == 0 { return true }
            for digit in 0..<9 {
                // Two that exclude each other leave a cell empty, which the next turn sees.
                while case let found = places[digit] & singles & ~solved, found != 0 {
                    settle(digit, found & (0 &- found), houses)
                }
            }
        }
    }

    /// - Returns: Whether it found any; nil when there is a contradiction.
    private mutating func settleHiddenSingles(_ houses: SudokuHouses) -> Bool? {
        var foundAny = false
        for digit in 0..<9 where places[digit] & ~solved != 0 {
            for house in houses.cells {
                let found = places[digit] & house
                if found & (found &- 1) != 0 { continue }
                if found == 0 { return nil }
                if found & solved == 0 {
                    settle(digit, found, houses)
                    foundAny = true
                }
            }
        }
        return foundAny
    }

    /// A cell with the fewest digits left, two at least; nil when all are settled.
    var choice: UInt128? {
        let open = ~solved & Self.all
        guard open != 0 else { return nil }
        // counts[n]: the cells with more than n digits.
        var once: UInt128 = 0
        var twice: UInt128 = 0
        var thrice: UInt128 = 0
        var often: UInt128 = 0
        for digit in 0..<9 {
            often |= thrice & places[digit]
            thrice |= twice & places[digit]
            twice |= once & places[digit]
            once |= places[digit]
        }
        for few in [open & ~thrice, open & ~often] where few != 0 { return few & (0 &- few) }
        return open & (0 &- open)
    }

    func allows(_ digit: Int, in cell: UInt128) -> Bool { places[digit] & cell != 0 }

    mutating func choose(_ digit: Int, in cell: UInt128, _ houses: SudokuHouses) {
        settle(digit, cell, houses)
    }

    /// 81 digits, when all cells are settled.
    var text: String {
        var text = [UInt8](repeating: UInt8(ascii: "1"), count: 81)
        for digit in 1..<9 {
            var cells = places[digit]
            while cells != 0 {
                text[cells.trailingZeroBitCount] += UInt8(digit)
                cells &= cells - 1
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Which cells belong together.
struct SudokuHouses: Sendable {
    /// Rows, columns, boxes.
    let cells: [UInt128]
    /// For each cell, the others that share a house with it.
    let peers: [UInt128]

    init() {
        var cells = [UInt128](repeating: 0, count: 27)
        for cell in 0..<81 {
            for house in Self.numbers(of: cell) { cells[house] |= 1 << UInt128(cell) }
        }
        self.cells = cells
        peers = (0..<81).map { cell in
            let together = Self.numbers(of: cell).reduce(0) { $0 | cells[$1] }
            return together & ~(1 << UInt128(cell))
        }
    }

    private static func numbers(of cell: Int) -> [Int] {
        let (row, column) = (cell / 9, cell % 9)
        return [row, 9 + column, 18 + row / 3 * 3 + column / 3]
    }
}
