internal import JobCore
internal import JobWire

/// What one look at the runner has shown, in the protocol's words.
struct TopSnapshot: Equatable {
    var at: Timestamp
    /// `sys.info`.
    var info: JSON
    /// `sys.stats`.
    var statistics: JSON
    /// `queue.list`.
    var queues: [JSON]
    /// What the workers run, as `job.show` tells it.
    var running: [JSON]
    /// Jobs that have failed, the newest first.
    var failed: [JSON]
}

/// The live view: what it shows, what is chosen in it, and what keys do. Pure: it looks at no
/// runner and no terminal.
struct TopModel: Equatable {
    /// What a line of the view is about.
    enum Thing: Hashable {
        case queue(QueueName)
        case running(JobID)
        case failed(JobID)
    }

    /// What is to be done, in the order of a press.
    enum Action: Equatable {
        case pause(QueueName)
        case resume(QueueName)
        case cancel(JobID)
        case retry(JobID)
        case quit
    }

    enum Key: Equatable {
        case up, down
        case letter(Character)
    }

    private(set) var snapshot: TopSnapshot?
    /// It stays chosen when its line moves.
    private(set) var chosen: Thing?
    /// One sentence about the last key.
    private(set) var message = ""
    /// Why the runner could not be looked at the last time; nil when it could.
    private(set) var trouble: String?
    /// What the next key, if it is a y, agrees to.
    private(set) var question: Action?

    /// In the order of the page.
    var things: [Thing] {
        guard let snapshot else { return [] }
        return snapshot.queues.compactMap(\.queueName).map(Thing.queue)
            + snapshot.running.compactMap(\.jobID).map(Thing.running)
            + snapshot.failed.compactMap(\.jobID).map(Thing.failed)
    }

    /// Takes in a new look. What is gone is chosen no more; its neighbour is.
    mutating func show(_ snapshot: TopSnapshot) {
        let place = chosen.flatMap { things.firstIndex(of: $0) }
        self.snapshot = snapshot
        trouble = nil
        let now = things
        if let chosen, now.contains(chosen) { return }
        chosen = place.flatMap { now.isEmpty ? nil : now[min($0, now.count - 1)] }
    }

    /// Takes in that a look was in vain: what was seen last stays.
    mutating func show(trouble sentence: String) { trouble = sentence }

    /// Takes in what came of an action.
    mutating func tell(_ sentence: String) { message = sentence }

    /// - Returns: What is to be done, if anything.
    mutating func hear(_ key: Key) -> Action? {
        message = ""
        if key == .letter("\u{3}") || key == .letter("\u{4}") { return .quit }
        if let question {
            self.question = nil
            if case .letter("y") = key { return question }
            message = "Nothing was done."
            return nil
        }
        switch key {
        case .up, .letter("k"): move(by: -1)
        case .down, .letter("j"): move(by: 1)
        case .letter("q"): return .quit
        case .letter("p"): return queue("pause").map(Action.pause)
        case .letter("r"): return queue("resume").map(Action.resume)
        case .letter("c"): askToCancel()
        case .letter("t"): return retry()
        case .letter: break
        }
        return nil
    }

    private mutating func move(by step: Int) {
        let things = things
        guard !things.isEmpty else { return }
        guard let place = chosen.flatMap({ things.firstIndex(of: $0) }) else {
            chosen = step > 0 ? things.first : things.last
            return
        }
        chosen = things[min(max(place + step, 0), things.count - 1)]
    }

    private mutating func queue(_ verb: String) -> QueueName? {
        if case .queue(let queue)? = chosen { return queue }
        message = "Choose a queue to \(verb), by the arrow keys."
        return nil
    }

    private mutating func askToCancel() {
        guard case .running(let job)? = chosen else {
            message = "Choose a job that runs, by the arrow keys."
            return
        }
        question = .cancel(job)
        message = "Cancel job \(job.rawValue)? Press y."
    }

    private mutating func retry() -> Action? {
        if case .failed(let job)? = chosen { return .retry(job) }
        message = "Choose a job that has failed, by the arrow keys."
        return nil
    }
}

extension JSON {
    fileprivate var queueName: QueueName? { self["queue"]?.stringValue.flatMap(QueueName.init) }

    fileprivate var jobID: JobID? { self["id"]?.integerValue.map(JobID.init(rawValue:)) }
}
