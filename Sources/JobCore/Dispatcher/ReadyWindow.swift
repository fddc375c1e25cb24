/// Ready jobs in the order in which they start: priority (higher first), then `ready_at`, then id.
///
/// A place in it is known by what orders it, so a cancelled job goes at once, wherever it stands.
struct ReadyWindow {
    /// One priority's jobs, in blocks: a job that comes or goes in the middle moves a few others,
    /// not all behind it.
    fileprivate struct Lane {
        /// Jobs in one block at most.
        static let blockJobs = 64

        let priority: Int
        /// None is empty.
        var blocks: [[Waiting]] = []
    }

    /// Highest priority first; none is empty.
    private var lanes: [Lane] = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    /// Blocks of jobs in memory.
    var blockCount: Int { lanes.reduce(0) { $0 + $1.blocks.count } }

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

    func contains(_ job: Waiting.Place) -> Bool {
        lanes.first { $0.priority == job.priority }?.contains(job) ?? false
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
    var isEmpty: Bool { blocks.isEmpty }
    var head: Waiting? { blocks.first?.first }
    var tail: Waiting? { blocks.last?.last }

    mutating func insert(_ job: Waiting) {
        guard !isEmpty else { return blocks.append([job]) }
        var block = self.block(of: job.place)
        var place = blocks[block].index(of: job.place)
        if blocks[block].count >= Self.blockJobs {
            // Nearly always at the end: jobs come in the order in which they are ready.
            if block == blocks.count - 1 && place == blocks[block].count {
                return blocks.append([job])
            }
            split(block)
            let kept = blocks[block].count
            if place > kept { (block, place) = (block + 1, place - kept) }
        }
        blocks[block].insert(job, at: place)
    }

    func contains(_ job: Waiting.Place) -> Bool { place(of: job) != nil }

    mutating func remove(_ job: Waiting.Place) -> Bool {
        guard let (block, place) = place(of: job) else { return false }
        blocks[block].remove(at: place)
        if blocks[block].isEmpty { blocks.remove(at: block) } else { join(block) }
        return true
    }

    private func place(of job: Waiting.Place) -> (block: Int, place: Int)? {
        guard !isEmpty else { return nil }
        let block = self.block(of: job)
        let place = blocks[block].index(of: job)
        guard place < blocks[block].count, blocks[block][place].id == job.id else { return nil }
        return (block, place)
    }

    private mutating func split(_ block: Int) {
        let half = blocks[block].count / 2
        blocks.insert(Array(blocks[block][half...]), at: block + 1)
        blocks[block].removeSubrange(half...)
    }

    /// So that a few jobs that are left do not keep the memory of many.
    private mutating func join(_ block: Int) {
        for first in [block - 1, block] where first >= 0 && first + 1 < blocks.count {
            guard blocks[first].count + blocks[first + 1].count <= Self.blockJobs / 2 else {
                continue
            }
            return blocks[first] += blocks.remove(at: first + 1)
        }
    }

    /// The block where such a job stands or would stand: the last one that does not begin behind
    /// it.
    private func block(of job: Waiting.Place) -> Int {
        max(0, blocks.partition { ($0[0].readyAt, $0[0].id) <= (job.readyAt, job.id) } - 1)
    }
}

extension [Waiting] {
    /// Where the job stands or would stand.
    fileprivate func index(of job: Waiting.Place) -> Int { partition { $0.isBefore(job) } }
}

extension Array {
    /// How many elements at the beginning are so, by bisection: none behind them is.
    fileprivate func partition(_ isFirst: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = low + (high - low) / 2
            if isFirst(self[middle]) { low = middle + 1 } else { high = middle }
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

    /// Among those of one priority.
    fileprivate func isBefore(_ other: Place) -> Bool {
        (readyAt, id) < (other.readyAt, other.id)
    }
}
