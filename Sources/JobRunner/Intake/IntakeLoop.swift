internal import JobCore

/// Moves the files of the jobs directory on, one turn at a time: takes what may be taken, submits
/// it, and does on disk what the broker answers. It decides nothing about jobs.
///
/// A step that fails is logged and done again later; what is in hand is forgotten only when its last
/// step is done. So a turn may be repeated at any time, and a crash is a repetition.
final class IntakeLoop {
    /// Where a file in `taken/` stands.
    private enum Stage {
        /// To be read and submitted.
        case waiting
        /// Submitted; the broker owes an answer.
        case filed(bytes: Int64)
        case accepted([JobID])
        case refused(reason: String)
    }

    private let directory: SpoolDirectory
    private let settings: IntakeSettings
    private var arrivals: [(name: String, arrival: Arrival)] = []
    private var sightings: [String: Sighting] = [:]
    private var inHand: [SpoolDirectory.Taken: Stage] = [:]
    /// Files whose jobs have ended and whose results are to be written.
    private var ended: [FileID] = []
    /// The next look at the whole directory.
    private var nextScan = Int64.min
    /// The last one left something out.
    private var scanIsPartial = false
    /// Nothing is taken or submitted before, for the broker has no room.
    private var pausedUntil = Int64.min
    /// When what failed is tried again; nil when nothing did.
    private var retryAt: Int64?
    private(set) var overview = IntakeOverview()

    private static let arrivalsMax = 10_000
    private static let listedMax = 1_000
    /// Files, and their bytes, that were submitted and not answered.
    private static let filedMax = 64
    private static let filedBytesMax: Int64 = 16 << 20
    /// Bounds of the pause after a refusal for want of room, in ms.
    private static let pauses: ClosedRange<Int64> = 1_000...60_000

    init(directory: SpoolDirectory, settings: IntakeSettings) {
        self.directory = directory
        self.settings = settings
    }

    // MARK: Hearing

    /// Events of the watch. Should they become too many, the directory itself is looked at.
    func hear(_ events: DirectoryWatch.Events) {
        let isTooMuch = arrivals.count + events.arrivals.count > Self.arrivalsMax
        if !isTooMuch { arrivals += events.arrivals }
        if events.overflowed || isTooMuch { nextScan = .min }
    }

    func hear(_ notice: IntakeNotice, now: Int64) {
        switch notice {
        case .accepted(let takenAs, let ids):
            guard let file = SpoolDirectory.Taken(takenAs: takenAs) else { return }
            inHand[file] = .accepted(ids)
        case .refused(let takenAs, let refusal):
            guard let file = SpoolDirectory.Taken(takenAs: takenAs) else { return }
            if refusal.status == 429 || refusal.status == 503 {
                inHand[file] = .waiting
                let pause = refusal.retryAfterMs ?? Self.pauses.lowerBound
                pausedUntil = now + min(max(pause, Self.pauses.lowerBound), Self.pauses.upperBound)
                overview.pause = refusal.summary
            } else {
                inHand[file] = .refused(reason: refusal.reason)
            }
        case .ended(let file):
            if !ended.contains(file) { ended.append(file) }
        case .stop: break
        }
    }

    // MARK: Doing

    /// Does all that can be done now, on the monotonic clock in ms.
    func turn(now: Int64) {
        if let due = retryAt, due <= now {
            retryAt = nil
            overview.failure = nil
        }
        finish(now: now)
        publish(now: now)
        guard now >= pausedUntil else { return }
        overview.pause = nil
        if now >= nextScan || needsRest { scan(now: now) }
        for file in waiting where hasRoom { submit(file, now: now) }
        lookAgain(now: now)
        take(now: now)
    }

    /// When the next turn is due, if nothing is heard before.
    func deadline(now: Int64) -> Int64 {
        var next = max(nextScan, pausedUntil)
        if let retryAt { next = min(next, retryAt) }
        if needsRest, hasRoom { next = max(now, pausedUntil) }
        if hasRoom, now >= pausedUntil {
            for sighting in sightings.values {
                next = min(next, sighting.since + settings.stillnessMs)
            }
        }
        return next
    }

    /// What the last look left out can be looked at now.
    private var needsRest: Bool { scanIsPartial && arrivals.isEmpty && sightings.isEmpty }

    private var hasRoom: Bool {
        var files = 0
        var sum: Int64 = 0
        for case .filed(let bytes) in inHand.values {
            files += 1
            sum += bytes
        }
        return files < Self.filedMax && sum < Self.filedBytesMax
    }

    /// In the order in which they were taken by a run.
    private var waiting: [SpoolDirectory.Taken] {
        let files = inHand.filter { if case .waiting = $0.value { true } else { false } }
        return files.keys.sorted()
    }

    private func attempt(now: Int64, _ step: () throws(SpoolError) -> Void) {
        do {
            try step()
        } catch {
            overview.failure = error.summary
            retryAt = now + settings.scanMs
            settings.log(error.hint.map { "\(error.summary) \($0)" } ?? error.summary)
        }
    }
}

// MARK: Taking

extension IntakeLoop {
    private func scan(now: Int64) {
        nextScan = now + settings.scanMs
        attempt(now: now) { () throws(SpoolError) in
            for file in try directory.leftovers() where inHand[file] == nil {
                inHand[file] = .waiting
            }
            let listing = try directory.list()
            overview.unreadableNames = listing.unreadable
            overview.listed.removeAll()
            scanIsPartial = false
            for name in listing.names where isCandidate(name) {
                guard arrivals.count < Self.arrivalsMax else {
                    scanIsPartial = true
                    break
                }
                arrivals.append((name, .found))
            }
        }
    }

    /// False when the name alone says that it is no file of jobs.
    private func isCandidate(_ name: String) -> Bool {
        switch Decision(name: name) {
        case nil: return true
        case .list(let reason):
            list(name, reason)
            return false
        case .ignore, .watch, .take: return false
        }
    }

    /// Folders are no files that somebody could miss.
    private func list(_ name: String, _ reason: String) {
        guard overview.listed.count < Self.listedMax, overview.listed[name] == nil,
            let entry = try? directory.entry(name), entry.kind != .directory
        else { return }
        overview.listed[name] = reason
    }

    private func lookAgain(now: Int64) {
        for (name, sighting) in sightings where now - sighting.since >= settings.stillnessMs {
            arrivals.append((name, .found))
        }
    }

    /// Looks at what arrived, as far as there is room.
    private func take(now: Int64) {
        let batch = arrivals
        arrivals = []
        for (place, file) in batch.enumerated() {
            guard hasRoom, now >= pausedUntil else {
                arrivals = Array(batch[place...])
                return
            }
            guard isCandidate(file.name) else { continue }
            attempt(now: now) { () throws(SpoolError) in
                try look(at: file.name, file.arrival, now: now)
            }
        }
    }

    private func look(
        at name: String,
        _ arrival: Arrival,
        now: Int64
    ) throws(SpoolError) {
        let last = sightings.removeValue(forKey: name)
        guard let entry = try directory.entry(name) else { return }
        let still = settings.stillnessMs
        switch Decision(entry, arrival, last: last, now: now, stillness: still) {
        case .ignore, .list: break
        case .watch(let sighting): sightings[name] = sighting
        case .take where entry.kind == .regular && directory.isBeingWritten(name):
            sightings[name] = Sighting(entry: entry, since: now)
        case .take:
            guard let file = try directory.claim(name) else { return }
            inHand[file] = .waiting
            submit(file, now: now)
        }
    }

    private func submit(_ file: SpoolDirectory.Taken, now: Int64) {
        attempt(now: now) { () throws(SpoolError) in
            let limits = settings.limits
            switch try directory.read(file, limits: limits, parse: settings.parse) {
            case nil: inHand[file] = nil
            case .failure(let problem):
                inHand[file] = .refused(reason: problem.reason)
                finish(now: now)
            case .success(let taken):
                inHand[file] = .filed(bytes: taken.row.bytes)
                settings.say(.filed(taken))
            }
        }
    }
}

// MARK: Ending

extension IntakeLoop {
    /// The last steps of files that were answered.
    private func finish(now: Int64) {
        guard retryAt == nil else { return }
        for (file, stage) in inHand {
            attempt(now: now) { () throws(SpoolError) in
                switch stage {
                case .waiting, .filed: return
                case .accepted(let ids): try directory.keep(file, ids: ids)
                case .refused(let reason): try directory.refuse(file, reason: reason)
                }
                inHand[file] = nil
            }
        }
    }

    private func publish(now: Int64) {
        guard retryAt == nil else { return }
        for file in ended {
            attempt(now: now) { () throws(SpoolError) in
                guard let results = settings.results(file) else {
                    retryAt = now + settings.scanMs
                    return
                }
                try directory.publish(results)
                ended.removeAll { $0 == file }
                settings.say(.fileClosed(file))
            }
        }
    }
}

extension SpoolDirectory.Taken: Comparable {
    /// The older first; both numbers grow, so a longer one is a later one.
    static func < (a: SpoolDirectory.Taken, b: SpoolDirectory.Taken) -> Bool {
        let (left, right) = (a.order, b.order)
        return left == right ? a.takenAs < b.takenAs : left < right
    }

    private var order: (Int64, Int64) {
        let parts = takenAs.split(separator: "-", maxSplits: 2)
        return (Int64(parts.first ?? "") ?? 0, Int64(parts.dropFirst().first ?? "") ?? 0)
    }
}

extension Refusal {
    /// As `NAME.reason.txt` says it.
    fileprivate var reason: String {
        let place = field.map { " (\($0))" } ?? ""
        return "\(message)\(place)\n" + (hint.map { "\($0)\n" } ?? "")
    }
}
