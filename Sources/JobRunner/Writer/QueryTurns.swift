internal import JobCore

/// The queries that wait for the reader, in the order in which it answers them: every second one is
/// the dispatcher's own, without which no job starts, and clients take turns. So who asks for much
/// waits for itself.
struct QueryTurns {
    private var own = Line<Decisions.Asked>()
    private var lines: [Account: Line<Decisions.Asked>] = [:]
    /// Whose turn it is, each that has a line once.
    private var turns = Line<Account>()
    private var isOwnTurn = true

    var isEmpty: Bool { own.isEmpty && turns.isEmpty }

    mutating func add(_ asked: Decisions.Asked) {
        guard let account = asked.account else { return own.add(asked) }
        if lines[account] == nil { turns.add(account) }
        lines[account, default: Line()].add(asked)
    }

    /// Nil when none waits.
    mutating func next() -> Decisions.Asked? {
        defer { isOwnTurn.toggle() }
        if isOwnTurn || turns.isEmpty, let asked = own.next() { return asked }
        guard let account = turns.next() else { return nil }
        let asked = lines[account]?.next()
        if lines[account]?.isEmpty == false { turns.add(account) } else { lines[account] = nil }
        return asked
    }
}

/// First come, first served, without moving all others up each time.
private struct Line<Element> {
    private var elements: [Element] = []
    private var first = 0

    var isEmpty: Bool { first == elements.count }

    mutating func add(_ element: Element) { elements.append(element) }

    mutating func next() -> Element? {
        guard !isEmpty else { return nil }
        defer {
            first += 1
            if first * 2 > elements.count {
                elements.removeFirst(first)
                first = 0
            }
        }
        return elements[first]
    }
}
