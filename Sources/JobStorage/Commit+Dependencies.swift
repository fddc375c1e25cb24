internal import JobCore
internal import SQLite

/// Jobs that come after others: what they wait for, and what becomes of them when that ends.
///
/// Whoever ends tells the jobs that come after it in the same transaction. What that leads to is
/// worked off from lists, not by recursion: a chain may be as long as there are jobs.
extension Commit {
    /// A job that has ended.
    struct Ending {
        let job: JobID
        let state: JobState
    }

    /// One job that another comes after.
    struct Link {
        var job: JobID
        /// From 1.
        var place: Int
        /// How that job stands; nil when it is no longer kept, and holds up nobody.
        var state: JobState?
        /// True when the other cannot run after it.
        var stops: Bool
        var name: String?
        var isSource = false

        /// True for one whose end is still to come.
        var isOpen: Bool { state.map { !$0.isFinal } ?? false }
        /// One that stops the other is waited for until that is told so, which is at once.
        var isWaitedFor: Bool { isOpen || stops }
    }

    // MARK: New jobs

    /// Why one of the jobs cannot come after what it names; nil when all can.
    func missingPredecessor(
        of insertion: Insertion,
        known: [Int: Accepted]
    ) throws(SQLiteError) -> Refusal? {
        for (place, job) in insertion.jobs.enumerated() where known[place] == nil {
            for (number, predecessor) in job.after.enumerated() {
                if insertion.creates(predecessor, known: known) { continue }
                let id = insertion.job(of: predecessor, known: known)
                if let id, try state(of: id) != nil { continue }
                return .unknownPredecessor(
                    predecessor,
                    isIssued: id.map(isIssued) ?? false,
                    at: insertion.jobs.count > 1 ? place : nil,
                    number
                )
            }
        }
        return nil
    }

    /// What a new job comes after, in its own order. A job of the same submission is not written
    /// yet, perhaps, and has not ended in any case.
    func links(
        of submission: Submission,
        in insertion: Insertion,
        known: [Int: Accepted]
    ) throws(SQLiteError) -> [Link] {
        var links: [Link] = []
        for predecessor in submission.after {
            guard let id = insertion.job(of: predecessor, known: known) else { continue }
            let isNew = insertion.creates(predecessor, known: known)
            let state = isNew ? .queued : try state(of: id)
            links.append(
                Link(
                    job: id,
                    place: links.count + 1,
                    state: state,
                    stops: state.map(submission.onFailure.stops) ?? false,
                    name: predecessor.name,
                    isSource: predecessor.givesResult
                )
            )
        }
        return links
    }

    mutating func insert(_ link: Link, of job: JobID) throws(SQLiteError) {
        var values = Parameters(of: changes[.insertDependency])
        try values.add(job)
        try values.add(link.place)
        try values.add(link.job)
        try values.add(link.name)
        try values.add(link.isSource)
        try values.add(link.isOpen)
        try values.statement.run()
        marks.hasDependencies = true
    }

    /// Once all of a submission is written: what waits for nobody may start, and what comes after a
    /// job that did not succeed has failed.
    mutating func startDependants(
        of insertion: Insertion,
        _ accepted: [Accepted]
    ) throws(SQLiteError) {
        for (job, accepted) in zip(insertion.jobs, accepted)
        where accepted.created && !job.after.isEmpty {
            guard let stored = try fetch(accepted.id) else { continue }
            if let stopper = try links(of: stored).first(where: \.stops) {
                try stop(stored, by: stopper)
            } else if stored.job.waitsFor == 0 {
                guard let waiting = try work(of: accepted.id) else {
                    try spoil(stored)
                    continue
                }
                facts.append(.queued(waiting))
            }
        }
    }

    private func state(of id: JobID) throws(SQLiteError) -> JobState? {
        if marks.isStaged(id) { return nil }
        return try changes.with(.state, id.rawValue).first { JobState(rawValue: $0.text(0)) } ?? nil
    }

    // MARK: Ends

    mutating func noteEnd(of job: JobID, _ state: JobState) {
        if marks.hasDependencies { endings.append(Ending(job: job, state: state)) }
    }

    /// Tells what comes after the jobs that have ended, or wait again, by the change at hand, and
    /// goes on with what becomes of it.
    mutating func tellDependants() throws(SQLiteError) {
        var (told, revived) = (0, 0)
        while told < endings.count || revived < reopened.count {
            if told < endings.count {
                told += 1
                try tell(of: endings[told - 1])
            } else {
                revived += 1
                try revive(after: reopened[revived - 1])
            }
        }
        endings = []
        reopened = []
    }

    private mutating func tell(of ending: Ending) throws(SQLiteError) {
        let statement = try changes.with(.closeDependencies, ending.job.rawValue)
        for id in try statement.all({ JobID(rawValue: $0.integer(0)) }).sorted() {
            // Whoever does not wait has ended before.
            guard let before = try fetch(id),
                let after = before.after(
                    before.onFailure.event(atEnd: ending.state, submittedAt: before.submittedAt),
                    at: now
                )
            else { continue }
            try conclude(before.job, after, failure: .dependencyFailed(ending.job, ending.state))
        }
    }

    private mutating func stop(_ before: Stored, by link: Link) throws(SQLiteError) {
        guard let state = link.state, let after = before.after(.predecessorFailed, at: now) else {
            return
        }
        try conclude(before.job, after, failure: .dependencyFailed(link.job, state))
    }

    // MARK: Retries

    /// Has an ended job run again, once what it comes after has ended: that may wait again, too.
    ///
    /// - Returns: False when it has not ended, or has succeeded.
    mutating func reopen(_ before: Stored) throws(SQLiteError) -> Bool {
        let id = before.job.id
        let links = try links(of: before)
        let others = links.count(where: \.isWaitedFor)
        guard let after = before.after(.retry(waitingFor: others), at: now) else { return false }
        if before.job.isSplit { try deleteChildren(of: id) }
        try changes.with(.deleteFailure, id.rawValue).run()
        for link in links {
            let isOpen: Int64 = link.isOpen ? 1 : 0
            try changes.with(.setOpen, isOpen, id.rawValue, Int64(link.place)).run()
        }
        try conclude(before.job, after)
        if others > 0 { facts.append(.blocked(id, after.job.attempt, after.queue)) }
        if marks.hasDependencies { reopened.append(id) }
        if let stopper = links.first(where: \.stops) { try stop(after, by: stopper) }
        return true
    }

    /// Jobs that failed for nothing but that this one had: they wait for it again.
    private mutating func revive(after job: JobID) throws(SQLiteError) {
        let dependants = try changes.with(.dependants, job.rawValue).all {
            JobID(rawValue: $0.integer(0))
        }
        for id in dependants {
            guard let before = try fetch(id), before.job.state == .failed,
                try reader.failure(of: id, .failed)?.code == .dependencyFailed,
                try !links(of: before).contains(where: \.stops)
            else { continue }
            _ = try reopen(before)
        }
    }

    /// What a job that is there comes after, as that stands now.
    private func links(of stored: Stored) throws(SQLiteError) -> [Link] {
        guard stored.dependencies > 0 else { return [] }
        return try changes.with(.links, stored.job.id.rawValue).all { statement in
            let state = statement.isNull(2) ? nil : JobState(rawValue: statement.text(2))
            return Link(
                job: JobID(rawValue: statement.integer(1)),
                place: Int(clamping: statement.integer(0)),
                state: state,
                stops: state.map(stored.onFailure.stops) ?? false
            )
        }
    }

    // MARK: Removal

    /// Whether a job comes after this one that has not ended: it may take the result.
    func hasOpenDependants(_ id: JobID) throws(SQLiteError) -> Bool {
        guard marks.hasDependencies else { return false }
        return try changes.with(.openDependant, id.rawValue).first { _ in true } ?? false
    }
}

extension StoreReader {
    func sources(of id: JobID) throws(SQLiteError) -> [Source] {
        try questions.with(.sources, id.rawValue).all { statement throws(SQLiteError) in
            var row = Row(of: statement)
            let source = Source(row.id(), name: row.optionalText())
            try row.check()
            return source
        }
    }

    func predecessors(of id: JobID) throws(SQLiteError) -> [PredecessorDetails] {
        try questions.with(.predecessors, id.rawValue).all { statement throws(SQLiteError) in
            var row = Row(of: statement)
            let details = PredecessorDetails(
                id: row.id(),
                name: row.optionalText(),
                state: row.optionalText().flatMap(JobState.init),
                isOpen: row.flag()
            )
            try row.check()
            return details
        }
    }
}
