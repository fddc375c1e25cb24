import JobCore
import Testing

@testable import JobRunner

@Suite("Turns at the reader") struct QueryTurnsTests {
    private func asked(_ number: UInt64, _ account: Account? = nil) -> Decisions.Asked {
        Decisions.Asked(ticket: Ticket(rawValue: number), query: .ends([]), account: account)
    }

    private func client(_ name: String) -> Account {
        .connection(ClientID(rawValue: Array(name.utf8)))
    }

    @Test func `clients take turns, and every second query is the dispatcher's own`() {
        var turns = QueryTurns()
        for number: UInt64 in 0..<1_000 { turns.add(asked(number, client("greedy"))) }
        for number: UInt64 in 1_000..<1_002 { turns.add(asked(number, client("other"))) }
        for number: UInt64 in 2_000..<2_004 { turns.add(asked(number)) }
        let first = (0..<9).map { _ in turns.next()?.ticket.rawValue }
        #expect(first == [2_000, 0, 2_001, 1_000, 2_002, 1, 2_003, 1_001, 2])
        turns.add(asked(3_000, client("late")))
        #expect((0..<3).map { _ in turns.next()?.ticket.rawValue } == [3, 3_000, 4])
        #expect((5..<1_000).allSatisfy { turns.next()?.ticket.rawValue == $0 })
        #expect(turns.isEmpty)
        #expect(turns.next() == nil)
    }

    @Test func `nobody's query is lost or told twice`() {
        var turns = QueryTurns()
        var chance = SystemRandomNumberGenerator()
        var added: UInt64 = 0
        var heard: [UInt64] = []
        for _ in 0..<10_000 {
            if Bool.random(using: &chance) {
                let name = ["a", "b", "c", nil].randomElement(using: &chance) ?? nil
                turns.add(asked(added, name.map(client)))
                added += 1
            } else if let next = turns.next() {
                heard.append(next.ticket.rawValue)
            }
        }
        while let next = turns.next() { heard.append(next.ticket.rawValue) }
        #expect(heard.sorted() == Array(0..<added))
    }
}
