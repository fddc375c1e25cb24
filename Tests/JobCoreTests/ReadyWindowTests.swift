import JobTesting
import Testing

@testable import JobCore

@Suite("A window of ready jobs") struct ReadyWindowTests {
    @Test func `jobs start by priority, then by date, then by id`() {
        var window = ReadyWindow()
        for (id, priority, readyAt) in [(1, 0, 9), (2, 5, 9), (3, 5, 8), (4, 5, 8), (5, -1, 1)] {
            window.add(waiting(Int64(id), priority: priority, readyAt: Int64(readyAt)))
        }
        #expect(takeAll(&window) == [3, 4, 2, 1, 5])
    }

    @Test func `the job that is ready longest is found whatever its priority`() {
        var window = ReadyWindow()
        window.add(waiting(1, priority: 100, readyAt: 5))
        window.add(waiting(2, priority: -100, readyAt: 4))
        window.add(waiting(3, priority: 0, readyAt: 4))
        #expect(window.longestReady?.id.rawValue == 2)
    }

    @Test func `a job that went and came back starts once`() {
        var window = ReadyWindow()
        let (first, second) = (waiting(1), waiting(2))
        window.add(first)
        window.add(second)
        remove(second.place, from: &window, expecting: true)
        window.add(second)
        #expect(window.count == 2)
        #expect(takeAll(&window) == [1, 2])
        #expect(window.isEmpty)
    }

    @Test func `a job that is not here cannot be removed`() {
        var window = ReadyWindow()
        window.add(waiting(1))
        remove(waiting(2).place, from: &window, expecting: false)
        remove(waiting(1, priority: 1).place, from: &window, expecting: false)
        remove(waiting(1).place, from: &window, expecting: true)
        remove(waiting(1).place, from: &window, expecting: false)
        #expect(window.isEmpty)
    }

    @Test func `a long queue costs no memory for what was taken`() {
        var window = ReadyWindow()
        for id in 1...5_000 { window.add(waiting(Int64(id), readyAt: Int64(id))) }
        for id in 1...4_999 {
            #expect(window.best?.id.rawValue == Int64(id))
            remove(waiting(Int64(id), readyAt: Int64(id)).place, from: &window, expecting: true)
        }
        #expect(window.count == 1)
        #expect(takeAll(&window) == [5_000])
    }

    @Test func `jobs that come and go behind one that waits cost no memory`() {
        var window = ReadyWindow()
        window.add(waiting(1))
        for id in Int64(2)...20_000 {
            window.add(waiting(id, readyAt: id))
            remove(waiting(id, readyAt: id).place, from: &window, expecting: true)
            #expect(window.blockCount == 1)
        }
        #expect(takeAll(&window) == [1])
    }

    @Test(arguments: [false, true])
    func `a few that are left of many do not keep their memory`(backwards: Bool) {
        var window = ReadyWindow()
        let all = Array(Int64(1)...6_400)
        for id in all { window.add(waiting(id, readyAt: id)) }
        for id in backwards ? all.reversed() : all where id % 64 != 0 {
            remove(waiting(id, readyAt: id).place, from: &window, expecting: true)
        }
        #expect(window.count == 100)
        #expect(window.blockCount <= 7)
        #expect(takeAll(&window) == all.filter { $0 % 64 == 0 })
    }

    @Test(arguments: UInt64(1)...10)
    func `many jobs in any order come out in theirs`(seed: UInt64) {
        var chance = SeededGenerator(seed: seed)
        var window = ReadyWindow()
        let ids = (Int64(1)...1_000).shuffled(using: &chance)
        for id in ids { window.add(waiting(id, readyAt: id / 3)) }
        for id in ids.prefix(900) {
            remove(waiting(id, readyAt: id / 3).place, from: &window, expecting: true)
        }
        #expect(takeAll(&window) == ids.suffix(100).sorted())
    }

    @Test(arguments: UInt64(1)...50)
    func `it does what a plain list does`(seed: UInt64) {
        var chance = SeededGenerator(seed: seed)
        var window = ReadyWindow()
        var list: [Waiting] = []
        for _ in 0..<400 {
            let job = waiting(
                Int64.random(in: 1...30, using: &chance),
                priority: Int.random(in: 0...1, using: &chance),
                readyAt: Int64.random(in: 0...3, using: &chance)
            )
            switch Int.random(in: 0..<5, using: &chance) {
            case 0...1 where !list.contains(where: { $0.id == job.id }):
                window.add(job)
                list.append(job)
            case 2:
                let known = list.randomElement(using: &chance) ?? job
                let isHere = list.contains(known)
                remove(known.place, from: &window, expecting: isHere)
                list.removeAll { $0 == known }
            case 3:
                if let best = window.best { window.remove(best.place) }
                let best = list.min(by: isBefore)
                list.removeAll { $0 == best }
            default: break
            }
            #expect(window.best == list.min(by: isBefore))
            let longest = list.min { ($0.readyAt, $0.id) < ($1.readyAt, $1.id) }
            #expect(window.longestReady == longest)
            #expect(window.count == list.count)
        }
    }

    private func remove(
        _ place: Waiting.Place,
        from window: inout ReadyWindow,
        expecting isHere: Bool
    ) {
        let wasHere = window.remove(place)
        #expect(wasHere == isHere)
    }

    private func isBefore(_ a: Waiting, _ b: Waiting) -> Bool {
        (b.spec.priority, a.readyAt, a.id) < (a.spec.priority, b.readyAt, b.id)
    }

    private func takeAll(_ window: inout ReadyWindow) -> [Int64] {
        var found: [Int64] = []
        while let job = window.best, found.count < 100 {
            window.remove(job.place)
            found.append(job.id.rawValue)
        }
        return found
    }
}
