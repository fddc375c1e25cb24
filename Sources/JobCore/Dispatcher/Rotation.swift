/// What takes turns: each stands in it once, and who comes last goes last.
struct Rotation<Element: Hashable & Sendable>: Sendable {
    private var members: Set<Element> = []
    /// The next ones, the very next last.
    private var front: [Element] = []
    /// Those behind them, in order.
    private var back: [Element] = []

    var isEmpty: Bool { members.isEmpty }
    var count: Int { members.count }

    mutating func add(_ element: Element) {
        if members.insert(element).inserted { back.append(element) }
    }

    mutating func keep(where isKept: (Element) -> Bool) {
        members = members.filter(isKept)
        front = front.filter(isKept)
        back = back.filter(isKept)
    }

    mutating func next() -> Element? {
        if front.isEmpty {
            front = back.reversed()
            back = []
        }
        guard let element = front.popLast() else { return nil }
        members.remove(element)
        return element
    }
}
