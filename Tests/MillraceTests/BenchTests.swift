import JobRunner
import JobWire
import Testing

@testable import millrace

/// What the bench makes of what it has measured.
@Suite struct BenchTests {
    private func latencies(_ milliseconds: [Double]) -> Latencies {
        var all = Latencies()
        for one in milliseconds { all.add(UInt64(one * 1e6)) }
        return all
    }

    @Test func `a percentile is the least that as many did not exceed`() {
        let hundred = latencies((1...100).map(Double.init).shuffled())
        #expect(hundred.milliseconds(at: [0.5, 0.9, 0.99, 1]) == [50, 90, 99, 100])
        #expect(latencies([7]).milliseconds(at: [0.5, 0.999, 1]) == [7, 7, 7])
        #expect(latencies([]).milliseconds(at: [0.5]) == [0])
    }

    @Test func `a histogram counts everything once and draws what is rare`() {
        let all = latencies(Array(repeating: 0.4, count: 1_000) + [0.9, 80, 1e9])
        let buckets = all.buckets
        #expect(buckets.reduce(0) { $0 + $1.count } == 1_003)
        #expect(buckets.first == .init(upToMs: 0.5, count: 1_000))
        #expect(buckets.last == .init(upToMs: .infinity, count: 1))
        #expect(all.histogram[0] == "  ≤     0.50 ms  \(String(repeating: "█", count: 50)) 1000")
        #expect(all.histogram.count { $0.contains("▏") } == 3)
        #expect(latencies([]).histogram == [])
    }

    @Test(arguments: [
        (0.0, "0.00"), (0.123, "0.12"), (9.99, "9.99"), (9.999, "10.0"), (12.34, "12.3"),
        (99.96, "100"), (1_234.5, "1 235"), (1e7, "10 000 000"), (-0.5, "−0.50"), (.nan, "–"),
    ])
    func `a figure has as many digits as count`(value: Double, text: String) {
        #expect(Figure.text(value) == text)
    }

    @Test func `the median lies in the middle of all repeats`() {
        var book = BenchBook()
        let quantity = Figure.Quantity(row: .endToEnd, unit: "jobs/s", goal: .atLeast(60_000))
        for value in [5.0, 1, 4] { book.note(quantity, value) }
        #expect(book.figures.map(\.values) == [[5, 1, 4]])
        #expect(book.figures[0].median == 4)
        book.note(quantity, 8)
        #expect(book.figures[0].median == 4.5)
        #expect(
            book.table.tabbed == [
                "A\tno-op jobs, in batches, until all have succeeded\t≥ 60 000\t4.50\t1.00–8.00\t"
                    + "jobs/s"
            ]
        )
    }

    @Test func `shares of few latencies are left out`() {
        var book = BenchBook()
        book.note(.lookupBehindScans, "", latencies((1...20).map(Double.init)))
        #expect(book.figures.map(\.quantity.name) == ["p50", "p90", "max"])
        book.note(.oneAtATime, "tcp", latencies((1...1_000).map(Double.init)))
        #expect(
            book.figures.dropFirst(3).map(\.quantity.name)
                == ["tcp p50", "tcp p90", "tcp p99", "tcp p99.9", "tcp max"]
        )
    }

    @Test(arguments: [(SudokuPuzzles.sparse, 17...17), (SudokuPuzzles.hard, 20...22)])
    func `puzzles keep their clues, and differ`(known: [String], clues: ClosedRange<Int>) {
        let puzzles = SudokuPuzzles.made(500, from: known, seed: 1)
        #expect(Set(puzzles).count == 500)
        for puzzle in puzzles {
            #expect(puzzle.utf8.count == 81)
            #expect(clues.contains(puzzle.utf8.count { $0 != UInt8(ascii: ".") }))
        }
        #expect(SudokuPuzzles.made(500, from: known, seed: 1) == puzzles)
    }

    @Test func `a solution has every digit once and keeps the clues`() {
        let line = (0..<81).map { "123456789"[($0 / 9 * 3 + $0 / 27 + $0) % 9] }
        let solution = String(line)
        let empty = String(repeating: ".", count: 81)
        #expect(SudokuPuzzles.solves(empty, solution))
        #expect(SudokuPuzzles.solves("1" + empty.dropLast(), solution))
        #expect(!SudokuPuzzles.solves("2" + empty.dropLast(), solution))
        #expect(!SudokuPuzzles.solves(empty, "2" + solution.dropFirst()))
        #expect(!SudokuPuzzles.solves(empty, ""))
    }

    @Test func `a plan can be made smaller`() {
        var plan = BenchPlan()
        #expect(plan.count(.endToEnd) == 300_000)
        #expect(plan.waitingCount(.besideWaiting) == 10_000_000)
        plan.scale = 0.001
        #expect(plan.count(.endToEnd) == 300)
        #expect(plan.count(.lookupBehindScans) == 1)
        #expect(plan.tableRows == 2_000)
        plan.jobs = 7
        plan.waiting = 9
        #expect(plan.count(.endToEnd) == 7)
        #expect(plan.waitingCount(.start) == 9)
    }
}

extension String {
    fileprivate subscript(place: Int) -> Character { self[index(startIndex, offsetBy: place)] }
}
