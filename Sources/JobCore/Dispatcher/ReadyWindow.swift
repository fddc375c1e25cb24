/// Ready jobs in the order in which they start: priority (higher first), then `ready_at`, then id.
///
/// A place in it is known by what orders it, so a cancelled job goes at once, wherever it stands.
struct ReadyWindow {
    /// One priority's jobs. Those before `first` are gone; so is any with an empty slot.
    fileprivate struct Lane {
        struct Slot {
            let readyAt: Timestamp
            let id: JobID
            var job: Waiting?
        }

        let priority: Int
        var slots: [Slot] = []
        var first = 0
        /// Slots that are not empty.
        var count = 0
    }

    /// Highest priority first; none is empty, and each begins with a job.
    private var lanes: [Lane] = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    /// Places in memory, those of jobs that are gone among them.
    var places: Int { lanes.reduce(0) { $0 + $1.slots.count } }

    /// The job that starts next by priority.
    var best: Waiting? { lanes.first?.head }

    /// The job that has been ready longest, whatever its priority.
    var longestReady: Waiting? {
        lanes.lazy.compactMap(\.head).min { ($0.readyAt, $0.id) < ($1.readyAt, $1.id) }
    }

    /// Takes out the jobs before the first of each priority that is not such. `looks` is how many
    /// may still be looked at.
    mutating func takeHeads(
        where isSuch: (Waiting) -> Bool,
        atMost looks: inout Int
    ) -> [Waiting] {
        var taken: [Waiting] = []
        for first in lanes.compactMap(\.head) {
            var head: Waiting? = first
            while looks > 0, let job = head {
                looks -= 1
                guard isSuch(job) else { break }
                taken.append(job)
                remove(job.place)
                head = lanes.first { $0.priority == job.spec.priority }?.head
            }
        }
        return taken
    }

    /// The job that would start last.
    var worst: Waiting? { lanes.last?.tail }

    mutating func add(_ job: Waiting) {
        let priority = job.spec.priority
        let place = lanes.firstIndex { $0.priority <= priority } ?? lanes.count
        if place == lanes.count || lanes[place].priority != priority {
            lanes.insert(Lane(priority: priority), at: place)
        }
        lanes[place].insert(job)
        count += 1
    }

    /// - Returns: False when the job is not here.
    @discardableResult
    mutating func remove(_ job: Waiting.Place) -> Bool {
        guard let place = lanes.firstIndex(where: { $0.priority == job.priority }),
            lanes[place].remove(job)
        else { return false }
        if lanes[place].isEmpty { lanes.remove(at: place) }
        count -= 1
        return true
    }
}

extension ReadyWindow.Lane {
    var isEmpty: Bool { count == 0 }
    /// Nil only when the lane is empty: it begins with a job.
    var tail: Waiting? { slots[first...].last { $0.job != nil }?.job }
    var head: Waiting? { isEmpty ? nil : slots[first].job }

    mutating func insert(_ job: Waiting) {
        let slot = Slot(readyAt: job.readyAt, id: job.id, job: job)
        defer { count += 1 }
        // Nearly always at the end: jobs come in the order in which they are ready.
        guard let last = slots.last, (slot.readyAt, slot.id) <= (last.readyAt, last.id), !isEmpty
        else {
            return slots.append(slot)
        }
        let place = index(of: slot.readyAt, slot.id)
        if slots[place].id == slot.id && slots[place].readyAt == slot.readyAt {
            slots[place] = slot  // It went and is back.
        } else {
            slots.insert(slot, at: place)
        }
    }

    mutating func remove(_ job: Waiting.Place) -> Bool {
        let place = index(of: job.readyAt, job.id)
        guard place < slots.count, slots[place].id == job.id, slots[place].job != nil else {
            return false
        }
        slots[place].job = nil
        count -= 1
        while first < slots.count, slots[first].job == nil { first += 1 }
        // Half of them are empty, wherever they stand: before the first, or behind one that waits.
        if slots.count >= 1_024 && count * 2 <= slots.count {
            slots.removeAll { $0.job == nil }
            first = 0
        }
        return true
    }

    /// Where a job with this date and id stands or would stand, by bisection.
    private func index(of readyAt: Timestamp, _ id: JobID) -> Int {
        var low = first
        var high = slots.count
        while low < high {
            let middle = low + (high - low) / 2
            if (slots[middle].readyAt, slots[middle].id) < (readyAt, id) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}

extension Waiting {
    /// All that orders a waiting job among others.
    struct Place {
        let id: JobID
        let readyAt: Timestamp
        let priority: Int
        let sort: UInt64
    }

    var place: Place {
        Place(id: id, readyAt: readyAt, priority: spec.priority, sort: spec.sort)
    }
}
