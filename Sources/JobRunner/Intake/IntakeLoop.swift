internal import JobCore

/// Moves the files of the jobs directory on, one turn at a time: takes what may be taken, submits
/// it, and does on disk what the broker answers. It decides nothing about jobs.
///
/// A step that fails is logged and done again later; what is in hand is forgotten only when its
/// last step is done. So a turn may be repeated at any time, and a crash is a repetition.
final class IntakeLoop {
    /// Where a file in `taken/` stands.
    enum Standing {
        /// To be read and submitted, once its claim is synced.
        case waiting
        /// Submitted; the broker owes an answer.
        case filed(bytes: Int64)
        /// It holds more than one submission may, and is read and submitted piece by piece, or will
        /// be.
        case large
        case answered(SpoolDirectory.Ending)
    }

    /// What may fail without holding up anything else.
    enum Step: Hashable {
        case look
        case claim(String)
        case sync
        case file(SpoolDirectory.Taken)
        case results(FileID)
    }

    let directory: SpoolDirectory
    let settings: IntakeSettings
    private let follow: () -> Void
    private var arrivals: [(name: String, arrival: Arrival)] = []
    private var sightings: [String: Sighting] = [:]
    var inHand: [SpoolDirectory.Taken: Standing] = [:]
    /// The large one that is being read: one after the other.
    var staging: StagedFile?
    /// Files that the store has begun, by their names in `taken/`: it is not known yet whether they
    /// are still there.
    var begun: [String] = []
    /// All of those: they go on as they began, in pieces.
    var goingOn: Set<String> = []
    /// Files whose jobs have ended and whose results are to be written.
    var ended: [FileID] = []
    /// Those that have very many jobs, so that their results are written bit by bit.
    var long: Set<FileID> = []
    /// The results that are being written so.
    var draft: ResultsDraft?
    /// Files whose results are written, and how they were called in `taken/`.
    var published: [FileID: String] = [:]
    /// The next look at the whole directory.
    private var nextLook = Int64.min
    /// The last one left something out.
    private var lookWasPartial = false
    /// Nothing is taken or submitted before, for the broker has no room.
    private var pausedUntil = Int64.min
    /// What failed, and when it is tried again.
    var failing: Set<Step> = []
    private var retryAt = Int64.max
    /// What failed the time before, and is not logged again while it goes on failing.
    private var failedBefore: Set<Step> = []
    var overview = IntakeOverview()

    private static let arrivalsMax = 10_000
    private static let listedMax = 1_000
    /// Files, and their bytes, that were submitted and not answered.
    private static let filedMax = 64
    private static let filedBytesMax: Int64 = 16 << 20
    /// Files that are read piece by piece, or will be. More of their kind are left where they are.
    static let largeMax = 1_000
    /// Bounds of the pause after a refusal for want of room, in ms.
    private static let pauses: ClosedRange<Int64> = 1_000...60_000

    /// `follow` is called before each look at the directory, for it may be another one by now.
    init(
        directory: SpoolDirectory,
        settings: IntakeSettings,
        follow: @escaping () -> Void = {}
    ) {
        self.directory = directory
        self.settings = settings
        self.follow = follow
    }

    // MARK: Hearing

    /// Events of the watch. Should they become too many, the directory itself is looked at.
    func hear(_ events: DirectoryWatch.Events) {
        let isTooMuch = arrivals.count + events.arrivals.count > Self.arrivalsMax
        if !isTooMuch { arrivals += events.arrivals }
        if events.overflowed || isTooMuch { nextLook = .min }
    }

    func hear(_ notice: IntakeNotice, now: Int64) {
        switch notice {
        case .accepted(let takenAs, let ids):
            guard let file = SpoolDirectory.Taken(takenAs: takenAs) else { return }
            inHand[file] = .answered(.kept(ids))
        case .refused(let takenAs, let refusal):
            guard let file = SpoolDirectory.Taken(takenAs: takenAs) else { return }
            if refusal.isOfKey {
                waitForKey(file, refusal, now: now)
            } else if refusal.isForNow {
                if staging?.file == file { staging?.turnedAway() } else { inHand[file] = .waiting }
                let pause = refusal.retryAfterMs ?? Self.pauses.lowerBound
                pausedUntil = now + min(max(pause, Self.pauses.lowerBound), Self.pauses.upperBound)
                overview.pause = refusal.summary
            } else {
                refuse(file, refusal)
            }
        case .staged(let takenAs, let ids, let isAll):
            guard staging?.file.takenAs == takenAs else { return }
            staging?.stored(ids, isAll: isAll)
        case .begun(let takenAs):
            begun.append(takenAs)
            goingOn.insert(takenAs)
        case .ended(let file): hearEnded(file)
        case .stop: break
        }
    }

    // MARK: Doing

    /// Does all that can be done now, on the monotonic clock in ms.
    func turn(now: Int64) {
        if now >= retryAt {
            failedBefore = failing
            failing.removeAll()
            retryAt = .max
            overview.failure = nil
        }
        if now >= pausedUntil {
            overview.pause = nil
            if now >= nextLook || needsRest { look(now: now) }
            recall(now: now)
            take(now: now)
            submit(now: now)
            stage(now: now)
        }
        dropBegun(now: now)
        putAway(now: now)
        publish(now: now)
        close(now: now)
    }

    /// When the next turn is due, if nothing is heard before.
    func deadline(now: Int64) -> Int64 {
        var next = needsRest && hasRoom ? now : nextLook
        if canStage || isWritingResults { next = now }
        if hasRoom {
            for sighting in sightings.values {
                next = min(next, sighting.due(after: settings.stillnessMs))
            }
        }
        return min(max(next, pausedUntil), retryAt)
    }

    /// What the last look left out can be looked at now.
    private var needsRest: Bool { lookWasPartial && arrivals.isEmpty && sightings.isEmpty }

    /// Files that were claimed count like files that were submitted; large ones do not.
    private var hasRoom: Bool {
        let files = inHand.values.count {
            switch $0 {
            case .waiting, .filed: true
            case .large, .answered: false
            }
        }
        return files < Self.filedMax && hasRoomForBytes
    }

    private var hasRoomForBytes: Bool {
        var sum: Int64 = 0
        for case .filed(let bytes) in inHand.values { sum += bytes }
        return sum < Self.filedBytesMax
    }

    /// True when the step was done. One that failed is left out until everything is tried again.
    @discardableResult
    func attempt(
        _ step: Step,
        now: Int64,
        _ body: () throws(SpoolError) -> Void
    ) -> Bool {
        guard !failing.contains(step) else { return false }
        do {
            try body()
            failedBefore.remove(step)
            return true
        } catch {
            fail(step, now: now)
            overview.failure = error.summary
            if !failedBefore.contains(step) {
                settings.log(error.hint.map { "\(error.summary) \($0)" } ?? error.summary)
            }
            return false
        }
    }

    func fail(_ step: Step, now: Int64) {
        failing.insert(step)
        retryAt = min(retryAt, now + settings.scanMs)
    }
}

// MARK: Taking

extension IntakeLoop {
    private func look(now: Int64) {
        nextLook = now + settings.scanMs
        // What was left out is no reason to look again at once, should this look fail.
        lookWasPartial = false
        attempt(.look, now: now) { () throws(SpoolError) in
            if try directory.reopen() {
                settings.log(
                    "Another directory is in the place of the jobs directory, and is used."
                )
            }
            follow()
            for file in try directory.leftovers() where inHand[file] == nil {
                inHand[file] = .waiting
            }
            let listing = try directory.list()
            overview.unreadableNames = listing.unreadable
            overview.listed.removeAll()
            let hasRoomForLarge = hasRoomForLarge
            for name in listing.names where isCandidate(name) {
                guard hasRoomForLarge || !SpoolDirectory.mayBeLarge(name) else { continue }
                guard arrivals.count < Self.arrivalsMax else {
                    lookWasPartial = true
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

    /// Files that may have been still for long enough.
    private func recall(now: Int64) {
        guard arrivals.isEmpty else { return }
        for (name, sighting) in sightings where now >= sighting.due(after: settings.stillnessMs) {
            arrivals.append((name, .found))
        }
    }

    /// Claims what arrived, as far as there is room.
    private func take(now: Int64) {
        let batch = arrivals
        arrivals = []
        for (place, file) in batch.enumerated() {
            guard hasRoom else {
                arrivals = Array(batch[place...])
                return
            }
            guard isCandidate(file.name) else { continue }
            guard hasRoomForLarge || !SpoolDirectory.mayBeLarge(file.name) else {
                // A later look finds it.
                sightings[file.name] = nil
                continue
            }
            attempt(.claim(file.name), now: now) { () throws(SpoolError) in
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
        let look = Look(
            entry: entry,
            arrival: arrival,
            last: last,
            now: now,
            stillness: settings.stillnessMs,
            isBeingWritten: { [directory] in directory.isBeingWritten(name) }
        )
        switch Decision(look) {
        case .ignore, .list: break
        case .watch(let sighting): sightings[name] = sighting
        case .take: if let file = try directory.claim(name) { inHand[file] = .waiting }
        }
    }

    /// Reads and submits what was claimed, the oldest first.
    private func submit(now: Int64) {
        let files = inHand.filter { file, standing in
            if case .waiting = standing { !failing.contains(.file(file)) } else { false }
        }
        guard !files.isEmpty else { return }
        let areSure = attempt(.sync, now: now) { () throws(SpoolError) in
            try directory.syncClaims()
        }
        guard areSure else { return }
        for file in files.keys.sorted() where hasRoomForBytes {
            attempt(.file(file), now: now) { () throws(SpoolError) in try submit(file) }
        }
    }

    private func submit(_ file: SpoolDirectory.Taken) throws(SpoolError) {
        guard !goingOn.contains(file.takenAs) else { return inHand[file] = .large }
        let content = try directory.read(file, limits: settings.limits, parse: settings.parse)
        for rows in directory.rowsOfTaken[file] ?? [] { overview.listed[rows] = nil }
        switch content {
        case .missing: inHand[file] = nil
        case .refused(let problem): inHand[file] = .answered(.refused(reason: problem.reason))
        case .large: inHand[file] = .large
        case .whole(let taken):
            inHand[file] = .filed(bytes: taken.row.bytes + taken.rowsBytes)
            settings.say(.filed(taken))
        }
    }
}

// MARK: Ending

extension IntakeLoop {
    /// The last steps of files that were answered: all notes, one sync, all moves.
    private func putAway(now: Int64) {
        var noted: [(SpoolDirectory.Taken, SpoolDirectory.Ending)] = []
        for case (let file, .answered(let ending)) in inHand {
            attempt(.file(file), now: now) { () throws(SpoolError) in
                guard let ending = try confirmed(ending, of: file, now: now) else { return }
                try directory.note(file, ending)
                noted.append((file, ending))
            }
        }
        guard !noted.isEmpty else { return }
        let areSure = attempt(.sync, now: now) { () throws(SpoolError) in
            try directory.syncNotes()
        }
        for (file, ending) in noted where areSure {
            attempt(.file(file), now: now) { () throws(SpoolError) in
                try directory.putAway(file, ending)
                inHand[file] = nil
                guard case .refused(let reason) = ending else { return }
                let first = reason.prefix { $0 != "\n" }
                settings.log("The file \(quoted(file.name)) was refused. \(first)")
            }
        }
    }

    /// Lets the store forget files, with the last of their jobs: not before nobody can find them in
    /// `taken/` and submit them again.
    private func close(now: Int64) {
        var gone: [FileID] = []
        for (file, takenAs) in published {
            attempt(.results(file), now: now) { () throws(SpoolError) in
                if try !directory.isTaken(as: takenAs) { gone.append(file) }
            }
        }
        guard !gone.isEmpty else { return }
        let areSure = attempt(.sync, now: now) { () throws(SpoolError) in
            try directory.syncPutAway()
        }
        for file in gone where areSure {
            published[file] = nil
            settings.say(.fileClosed(file))
        }
    }
}

extension TakenFile {
    /// Of the CSVs that its jobs have.
    fileprivate var rowsBytes: Int64 {
        jobs.reduce(0) { $0 + $1.spec.frames.reduce(0) { $0 + Int64($1.bytes.count) } }
    }
}

extension Refusal {
    /// As `NAME.reason.txt` says it.
    var reason: String {
        let place = field.map { " (\($0))" } ?? ""
        return "\(message)\(place)\n" + (hint.map { "\($0)\n" } ?? "")
    }
}
