@testable import JobCore

/// Who has started, and who was passed over: the order that queues and jobs are promised.
struct StoryTurns {
    /// Starts of this run, counted.
    var starts = 0
    /// The last start of each queue.
    var last: [QueueName: Int] = [:]
    /// Jobs in memory that could start, and how many starts there had been when they came.
    var since: [JobID: Int] = [:]
    /// Starts of each queue, and the last of them that did not go by priority.
    var startsOfQueue: [QueueName: Int] = [:]
    var lastAged: [QueueName: Int] = [:]
    /// The job of each queue that is ready longest, and how often it was passed over by younger.
    var passed: [QueueName: Passed] = [:]

    struct Passed {
        var job: JobID
        var times: Int
    }
}

extension StoryWorld {
    mutating func checkTurns(_ orders: [Decisions.Given]) throws(Violation) {
        let started = orders.compactMap { given in
            dispatcher.crew[given.worker]?.orders.first { $0.sequence == given.order.sequence }
        }
        // Whoever needs a turn may have to wait for it, whatever its rank.
        let free = dispatcher.lanes.present.filter { $0.value.lane.turns.isEmpty }
        try turns.follow(started.map { ($0.job, !$0.isExpress) }, free)
        let short = free.filter { isShort($0.key) }
        let starts = started.map { ($0.job, $0.isExpress) }
        try shortTurns.follow(starts.filter(\.1), short)
    }
}

extension StoryTurns {
    /// Looks at jobs that have `started`, in order, and whether by these turns; `free` are those
    /// that could start by them and wait.
    mutating func follow(
        _ started: [(job: Waiting, isMine: Bool)],
        _ free: [JobID: Lanes.Present]
    ) throws(Violation) {
        let before = since
        since = free.mapValues { _ in starts }
        for job in since.keys { if let known = before[job] { since[job] = known } }
        passed = passed.filter { free[$0.value.job] != nil }
        for (place, (job, isMine)) in started.enumerated() where isMine {
            let queue = job.spec.queue
            var rivals = free.values.filter { $0.lane.queue == queue }.map(\.place)
            rivals += started.dropFirst(place + 1).map(\.job)
                .filter { $0.spec.queue == queue && $0.lane.turns.isEmpty }.map(\.place)
            try checkPlace(of: job, among: rivals)
            try checkQueues(job, free)
        }
    }

    /// By priority, `ready_at` and id; every eighth time the longest ready.
    private mutating func checkPlace(
        of job: Waiting,
        among rivals: [Waiting.Place]
    ) throws(Violation) {
        let queue = job.spec.queue
        let place = job.place
        startsOfQueue[queue, default: 0] += 1
        let count = startsOfQueue[queue, default: 0]
        if rivals.contains(where: { $0.comes(before: place) }) {
            let isLongestReady = !rivals.contains { $0.isOlder(than: place) }
            let gap = count - (lastAged[queue] ?? 0)
            try check(
                isLongestReady && gap >= 8,
                "job \(job.id.rawValue) of queue \(queue.rawValue) starts in its order"
            )
            lastAged[queue] = count
        }
        guard let oldest = rivals.min(by: { $0.isOlder(than: $1) }), oldest.isOlder(than: place)
        else {
            passed[queue] = nil
            return
        }
        let times = passed[queue].map { $0.job == oldest.id ? $0.times + 1 : 1 } ?? 1
        try check(times < 8, "job \(oldest.id.rawValue) is not passed over \(times) times")
        passed[queue] = StoryTurns.Passed(job: oldest.id, times: times)
    }

    /// No queue starts twice while a job of another could have started all the time.
    private mutating func checkQueues(
        _ job: Waiting,
        _ free: [JobID: Lanes.Present]
    ) throws(Violation) {
        let queue = job.spec.queue
        starts += 1
        if let previous = last[queue] {
            for (id, entry) in free where entry.lane.queue != queue {
                let waitsLong = since[id].map { $0 < previous } ?? false
                try check(
                    !waitsLong || last[entry.lane.queue, default: 0] > previous,
                    "queues take turns: \(entry.lane.queue.rawValue) waits for \(queue.rawValue)"
                )
            }
        }
        last[queue] = starts
    }
}

extension StoryTurns {
    private func check(_ holds: Bool, _ sentence: @autoclosure () -> String) throws(Violation) {
        if !holds { throw Violation(sentence: sentence()) }
    }
}

extension Waiting.Place {
    fileprivate func comes(before other: Self) -> Bool {
        (-priority, readyAt, id) < (-other.priority, other.readyAt, other.id)
    }

    fileprivate func isOlder(than other: Self) -> Bool { (readyAt, id) < (other.readyAt, other.id) }
}
