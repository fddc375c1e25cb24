// What the dispatcher does with external workers: programs at the other end of a connection that
// run jobs of the kernels the settings leave to them.

extension Dispatcher {
    // MARK: What they say

    mutating func hear(_ word: ExternalWord, from peer: ClientID, at now: Timestamp) {
        let worker = externals.worker(of: peer)
        if let worker { externals.heard(worker, at: now) }
        switch word {
        case .ready(let kernel):
            let wasTold = externals.wasTold(peer)
            // Whoever had this address before is gone, or has forgotten what it was told.
            if let worker { beganAnew(worker, wasTold: wasTold, at: now) }
            attach(peer, kernel, at: now)
        case .reply(let address, let outcome):
            let ending = ending(with: outcome)
            finish(worker, address, ending, from: peer, at: now)
        case .failure(let address, let failure):
            finish(worker, address, .failed(failure), from: peer, at: now)
        case .heartbeat:
            if worker == nil { tellToGo(peer) }
        case .disconnect:
            if let worker { externalGone(worker, "The worker went.", at: now) }
        case .unreadable:
            dropped += 1
            if let worker { externalGone(worker, "The worker said what nobody can read.", at: now) }
            tellToGo(peer)
        }
    }

    /// Whether the worker still has the order; true for all else that is told. A large message is
    /// written by another thread, and much may be heard meanwhile.
    public func stillTells(_ message: ExternalMessage) -> Bool {
        guard let address = message.address else { return true }
        return externals.worker(of: message.to).flatMap { externals.members[$0]?.run }?.address
            == address
    }

    /// Nobody can be reached there any more; with the address of an order that was not sent.
    mutating func unreachable(_ peer: ClientID, _ order: OrderAddress?, at now: Timestamp) {
        if order == nil { externals.forget(peer) }
        guard let worker = externals.worker(of: peer) else { return }
        guard let order else {
            return externalGone(worker, "The worker's connection was lost.", at: now)
        }
        // An order that it has no more says nothing of who is there by now.
        guard let run = externals.members[worker]?.run, run.address == order else { return }
        _ = externals.leave(worker)
        guard active[run.job.id] == run.job.next else { return }
        // The store may have it as running: then it has to be put back there.
        if run.isRecorded { return settle(run, of: worker, .putBack, at: now) }
        active[run.job.id] = nil
        admit(run.job)
    }

    private mutating func tellToGo(_ peer: ClientID) {
        externals.tell(toBeginAnew: peer)
        decisions.externals.append(ExternalMessage(to: peer, .disconnect))
    }

    private mutating func attach(_ peer: ClientID, _ kernel: String, at now: Timestamp) {
        guard plan.about.externalKernels.contains(kernel),
            externals.members.count < Limits.externalWorkers
        else {
            dropped += 1
            return tellToGo(peer)
        }
        externals.attach(crew.newNumber(), peer, kernel, at: now)
    }

    private func ending(with outcome: Outcome) -> Report.Ending {
        guard outcome.bytes.count <= plan.limits.resultBytes else {
            return .failed(.resultTooLarge(mostBytes: plan.limits.resultBytes))
        }
        return .succeeded(outcome)
    }

    private mutating func finish(
        _ worker: WorkerID?,
        _ address: OrderAddress,
        _ ending: Report.Ending,
        from peer: ClientID,
        at now: Timestamp
    ) {
        guard let worker else {
            dropped += 1
            return tellToGo(peer)
        }
        guard let run = externals.finish(worker, address) else { return dropped += 1 }
        settle(run, of: worker, ending, at: now)
    }

    private mutating func settle(
        _ run: Externals.Run,
        of worker: WorkerID,
        _ ending: Report.Ending,
        at now: Timestamp
    ) {
        guard active[run.job.id] == run.job.next else { return }
        let report = Report(
            job: run.job.id,
            attempt: run.job.next,
            worker: worker,
            ending: ending,
            startedAt: run.startedAt,
            durationMicros: now.ms(since: run.startedAt) * 1_000
        )
        meter.count(report, readyAt: run.job.readyAt, at: now)
        settle(report, of: run.job)
    }

    /// Of what it ran nothing will come back.
    private mutating func externalGone(_ worker: WorkerID, _ reason: String, at now: Timestamp) {
        guard let run = externals.leave(worker)?.run else { return }
        // Workers are stopped together with the runner: nobody is to blame for that.
        if stop.isDraining { return settle(run, of: worker, .putBack, at: now) }
        lose(Receipts.Abandoned(run.job, worker, reason: reason, tryAt: now), at: now)
    }

    /// One that was told to go, and said something before it heard that, is told so twice, and
    /// begins anew twice: nobody is to blame for what it had in between.
    private mutating func beganAnew(_ worker: WorkerID, wasTold: Bool, at now: Timestamp) {
        guard wasTold else { return externalGone(worker, "The worker began anew.", at: now) }
        guard let run = externals.leave(worker)?.run else { return }
        settle(run, of: worker, .putBack, at: now)
    }

    // MARK: What they are told

    /// Gives ready jobs to external workers, as long as the store takes what they report.
    mutating func startExternalJobs(at now: Timestamp) {
        guard !stop.isDraining, knowsPaused, !storeLags else { return }
        for kernel in externals.kernels where lanes.hasJobs(for: kernel) {
            while let worker = externals.nextIdle(kernel) {
                guard let job = lanes.take(for: kernel) else {
                    externals.staysIdle(worker)
                    break
                }
                give(job, toExternal: worker, at: now)
            }
        }
    }

    private mutating func give(_ job: Waiting, toExternal worker: WorkerID, at now: Timestamp) {
        guard let peer = externals.members[worker]?.peer else { return }
        active[job.id] = job.next
        let address = externals.give(job, to: worker, seed: plan.seed, at: now)
        let word = ExternalMessage.Word.request(
            address,
            body: job.spec.body,
            frames: job.spec.frames
        )
        decisions.externals.append(ExternalMessage(to: peer, word, sources: job.sources))
    }

    /// The job has ended in spite of its run: the worker need not go on. What it still says of it
    /// comes too late.
    mutating func endExternalRun(of job: JobID) {
        guard let attempt = active[job], let worker = externals.holder(of: job, attempt)?.worker
        else { return }
        letGo(worker)
    }

    /// Majordomo has no word for breaking off a run: the worker is told to begin anew.
    private mutating func letGo(_ worker: WorkerID) {
        guard let member = externals.leave(worker) else { return }
        tellToGo(member.peer)
    }

    /// Puts all that they run back, uncounted.
    mutating func putBackExternalRuns(at now: Timestamp) {
        for (worker, member) in externals.inOrder {
            guard let run = member.run else { continue }
            letGo(worker)
            settle(run, of: worker, .putBack, at: now)
        }
    }

    // MARK: Time

    /// Runs that last are written down, those that last too long are ended, workers that are idle
    /// and silent are gone, and all others hear that the runner is there.
    mutating func lookAtExternals(at now: Timestamp) {
        guard let due = externals.nextLook, due <= now else { return }
        for (worker, member) in externals.inOrder {
            if let run = member.run {
                look(at: run, of: worker, at: now)
            } else if member.isSilent(at: now) {
                letGo(worker)
            }
        }
        for peer in externals.beat(at: now) {
            decisions.externals.append(ExternalMessage(to: peer, .heartbeat))
        }
        externals.hasLooked(at: now)
    }

    private mutating func look(at run: Externals.Run, of worker: WorkerID, at now: Timestamp) {
        if run.endsAt <= now {
            letGo(worker)
            settle(run, of: worker, .failed(.timedOut(afterMs: run.job.spec.timeoutMs)), at: now)
        } else if !run.isRecorded, run.startedAt.adding(ms: Crew.recordAfterMs) <= now {
            externals.recorded(worker)
            let (id, attempt) = (run.job.id, run.job.next)
            guard active[id] == attempt else { return }
            decisions.changes.append(.start(id, attempt, worker, at: run.startedAt))
            if hasListeners { decisions.announcements.append(.running(id, attempt, worker)) }
        }
    }

    // MARK: What is told of them

    /// What the store says of a job for external workers, with what is known here alone.
    func overlaidOutside(_ details: JobDetails) -> JobDetails {
        var details = details
        guard let attempt = active[details.job.id] else {
            details.lacksWorker = details.skill.map { !externals.serves($0) } ?? false
            return details
        }
        guard details.job.state == .queued,
            let (worker, run) = externals.holder(of: details.job.id, attempt)
        else { return details }
        try? details.job.apply(.started(attempt), at: details.createdAt)
        details.worker = worker
        details.startedAt = run.startedAt
        return details
    }

    func externalDetails(at now: Timestamp) -> [ExternalDetails] {
        externals.inOrder.map { worker, member in
            let runningMs = member.run.map { now.ms(since: $0.startedAt) }
            let details = WorkerDetails(
                worker: worker,
                job: member.run?.job.id,
                runningMs: runningMs
            )
            return ExternalDetails(kernel: member.kernel, details)
        }
    }
}
