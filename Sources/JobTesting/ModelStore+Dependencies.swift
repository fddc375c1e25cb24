internal import JobCore

/// Jobs that come after others.
extension ModelStore {
    // MARK: - New jobs

    func missingPredecessor(of insertion: Insertion, known: [Int: Accepted]) -> Refusal? {
        for (place, job) in insertion.jobs.enumerated() where known[place] == nil {
            for (number, predecessor) in job.after.enumerated()
            where !insertion.creates(predecessor, known: known) {
                let id = insertion.job(of: predecessor, known: known)
                if let id, entries[id] != nil { continue }
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

    mutating func link(
        _ id: JobID,
        _ job: Submission,
        of insertion: Insertion,
        known: [Int: Accepted]
    ) {
        entries[id]?.onFailure = job.onFailure
        var waitsFor = 0
        for predecessor in job.after {
            guard let other = insertion.job(of: predecessor, known: known) else { continue }
            let isNew = insertion.creates(predecessor, known: known)
            let state = isNew ? .queued : entries[other]?.job.state ?? .succeeded
            entries[id]?.links.append(
                Link(
                    job: other,
                    name: predecessor.name,
                    isSource: predecessor.givesResult,
                    isOpen: !state.isFinal
                )
            )
            if !state.isFinal || job.onFailure.stops(for: state) { waitsFor += 1 }
        }
        guard waitsFor > 0, let job = entries[id]?.job else { return }
        var standing = job.standing
        standing.waitsFor = waitsFor
        entries[id]?.job = Job(id: id, standing: standing, writes: job.writes, retry: job.retry)
    }

    mutating func startDependants(of insertion: Insertion, _ accepted: [Accepted]) {
        for (job, accepted) in zip(insertion.jobs, accepted)
        where accepted.created && !job.after.isEmpty {
            guard let entry = entries[accepted.id] else { continue }
            if let stopper = stopper(of: entry) {
                stop(entry, by: stopper)
            } else if entry.job.waitsFor == 0 {
                facts.append(.queued(waiting(entry)))
            }
        }
    }

    /// The first of the jobs that it comes after because of which it cannot run.
    private func stopper(of entry: Entry) -> (job: JobID, state: JobState)? {
        for link in entry.links {
            guard let state = entries[link.job]?.job.state, entry.onFailure.stops(for: state) else {
                continue
            }
            return (link.job, state)
        }
        return nil
    }

    private mutating func stop(_ entry: Entry, by stopper: (job: JobID, state: JobState)) {
        guard let stopped = self.entry(entry.job.id, after: .predecessorFailed) else { return }
        conclude(stopped, failure: .dependencyFailed(stopper.job, stopper.state))
    }

    // MARK: - Ends

    mutating func tellDependants() {
        while !endings.isEmpty || !reopened.isEmpty {
            if !endings.isEmpty {
                tell(of: endings.removeFirst())
            } else {
                revive(after: reopened.removeFirst())
            }
        }
    }

    private func dependants(of job: JobID) -> [JobID] {
        entries.values.filter { $0.links.contains { $0.job == job } }.map(\.job.id).sorted()
    }

    private mutating func tell(of ending: (job: JobID, state: JobState)) {
        for id in dependants(of: ending.job) {
            for place in entries[id]?.links.indices ?? 0..<0 {
                guard let entry = entries[id], entry.links[place].job == ending.job,
                    entry.links[place].isOpen
                else { continue }
                entries[id]?.links[place].isOpen = false
                let event = entry.onFailure.event(
                    atEnd: ending.state,
                    submittedAt: entry.createdAt
                )
                guard let changed = self.entry(id, after: event) else { continue }
                conclude(changed, failure: .dependencyFailed(ending.job, ending.state))
            }
        }
    }

    // MARK: - Retries

    mutating func reopen(_ entry: Entry) -> Bool {
        let id = entry.job.id
        let states = entry.links.map { entries[$0.job]?.job.state ?? .succeeded }
        let others = states.count { !$0.isFinal || entry.onFailure.stops(for: $0) }
        let stopper = stopper(of: entry)
        guard var again = self.entry(id, after: .retry(waitingFor: others)) else { return false }
        deleteChildren(of: id)
        for (place, state) in states.enumerated() { again.links[place].isOpen = !state.isFinal }
        conclude(again)
        if let file = entry.file { files[file]?.isClosed = false }
        if others > 0 { facts.append(.blocked(id, again.job.attempt, again.spec.queue)) }
        reopened.append(id)
        if let stopper { stop(again, by: stopper) }
        return true
    }

    private mutating func revive(after job: JobID) {
        for id in dependants(of: job) {
            guard let entry = entries[id], entry.job.state == .failed,
                entry.failure?.code == .dependencyFailed, stopper(of: entry) == nil
            else { continue }
            _ = reopen(entry)
        }
    }

    // MARK: - Removal

    func hasOpenDependants(_ id: JobID) -> Bool {
        dependants(of: id).contains { entries[$0]?.job.state.isFinal == false }
    }
}
