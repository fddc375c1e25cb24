import Testing

@testable import JobCore

/// What is told to whoever listens, and when.
@Suite("Announcements") struct AnnouncementTests {
    private var listening: Stage {
        var stage = Stage()
        stage.dispatcher.hasListeners = true
        return stage
    }

    private let one = JobID(rawValue: 1)
    private let first = Attempt(rawValue: 1)

    private func queued(_ id: Int64, attempt: Int = 0, readyAt: Timestamp?) -> Announcement {
        .queued(
            .init(
                id: JobID(rawValue: id),
                attempt: Attempt(rawValue: attempt),
                queue: .standard,
                readyAt: readyAt
            )
        )
    }

    @Test func `a job is announced when it is written, and when its end is`() throws {
        var stage = listening
        let asked = stage.ask(.submit([makeSubmission()], isBatch: false, waitMs: nil))
        #expect(asked.announcements.isEmpty)
        guard case .insert(let insertion)? = asked.changes.first else { throw Missing() }
        let written = stage.hear(.wrote([stage.inserted(insertion)]))
        #expect(written.announcements == [queued(1, readyAt: stage.now)])

        let order = try #require(written.orders.first?.order)
        let reported = stage.hear(.reported([makeReport(order)]))
        #expect(reported.announcements.isEmpty)
        #expect(
            stage.hear(.wrote([ended(order)])).announcements
                == [.ended(one, .succeeded, first, nil)]
        )
    }

    @Test func `nothing is announced while nobody listens`() throws {
        var stage = Stage()
        let written = stage.submit()
        let order = try #require(written.orders.first?.order)
        let seen = stage.hear(stage.mark(order.sequence))
        let paused = Fact.paused(true, [.standard], Ticket(rawValue: 99))
        let end = stage.hear(.wrote([ended(order), paused]))
        #expect((written.announcements + seen.announcements + end.announcements).isEmpty)
    }

    @Test func `a job that was there already, and one that is refused, are not announced`() throws {
        var stage = listening
        let asked = stage.ask(.submit([makeSubmission()], isBatch: false, waitMs: nil))
        guard case .insert(let insertion)? = asked.changes.first else { throw Missing() }
        let known = Accepted(id: one, state: .queued, created: false)
        #expect(
            stage.hear(.wrote([.inserted(insertion.ticket, [known], nil)])).announcements.isEmpty
        )
        let again = stage.ask(.submit([makeSubmission()], isBatch: false, waitMs: nil))
        guard case .insert(let other)? = again.changes.first else { throw Missing() }
        let refusal = Refusal(503, "disk_full", "The disk is full.")
        #expect(stage.hear(.wrote([.refused(other.ticket, refusal)])).announcements.isEmpty)
    }

    @Test func `a run that is seen is announced once, and its progress now and then`() throws {
        var stage = listening
        let order = try #require(stage.submit().orders.first?.order)
        let start = stage.now
        func look(_ done: Int64?) -> Event {
            let progress = done.map { Progress(done: $0, total: 10) }
            let mark = WorkerMark(
                worker: WorkerID(rawValue: 1),
                sequence: order.sequence,
                startedAt: start,
                progress: progress
            )
            return .seen([mark])
        }
        func told(_ done: Int64) -> Announcement {
            .progress(one, first, Progress(done: done, total: 10))
        }
        let running = Announcement.running(one, first, WorkerID(rawValue: 1))
        #expect(stage.hear(look(nil)).announcements == [running])
        #expect(stage.hear(look(nil)).announcements.isEmpty)
        #expect(stage.hear(look(1)).announcements == [told(1)])
        stage.now = stage.now.adding(ms: Dispatcher.progressEveryMs - 1)
        #expect(stage.hear(look(2)).announcements.isEmpty)
        stage.now = stage.now.adding(ms: 1)
        #expect(stage.hear(look(3)).announcements == [told(3)])
        stage.now = stage.now.adding(ms: Dispatcher.progressEveryMs)
        #expect(stage.hear(look(3)).announcements.isEmpty)
    }

    @Test func `a run whose job has ended is announced no more`() throws {
        var stage = listening
        let order = try #require(stage.submit().orders.first?.order)
        let end = JobEnd(id: one, state: .cancelled, attempt: first, failure: nil)
        let ended = stage.hear(.wrote([.ended(Ended(end: end))]))
        #expect(ended.announcements == [.ended(one, .cancelled, first, nil)])
        #expect(stage.hear(stage.mark(order.sequence)).announcements.isEmpty)
    }

    @Test func `a job that waits again is announced with the run before`() throws {
        var stage = listening
        let order = try #require(stage.submit().orders.first?.order)
        stage.hear(.reported([makeReport(order)]))
        var again = waiting(1, readyAt: 9_000)
        again.next = Attempt(rawValue: 2)
        let later = Timestamp(rawValue: 9_000)
        #expect(
            stage.hear(.wrote([.queued(again)])).announcements
                == [queued(1, attempt: 1, readyAt: later)]
        )
    }

    @Test func `a job that waits for others is announced when it is new and when it waits again`()
        throws
    {
        var stage = listening
        var job = makeSubmission()
        job.after = [Predecessor(.job(JobID(rawValue: 7)))]
        let asked = stage.ask(.submit([job], isBatch: false, waitMs: nil))
        guard case .insert(let insertion)? = asked.changes.first else { throw Missing() }
        let written = stage.hear(.wrote([stage.inserted(insertion)]))
        #expect(written.announcements == [queued(1, readyAt: nil)])
        #expect(
            stage.hear(.wrote([.queued(waiting(1, readyAt: 5))])).announcements
                == [queued(1, readyAt: Timestamp(rawValue: 5))]
        )
        let failure = Failure.dependencyFailed(JobID(rawValue: 7), .failed)
        let end = JobEnd(id: one, state: .failed, attempt: first, failure: failure)
        stage.hear(.wrote([.ended(Ended(end: end))]))
        // Whoever believed it to have ended learns that it has not.
        #expect(
            stage.hear(.wrote([.blocked(one, first, .standard)])).announcements
                == [queued(1, attempt: 1, readyAt: nil)]
        )
    }

    @Test func `a divided job and its parts are announced`() throws {
        var stage = listening
        let order = try #require(stage.submit(makeSpec(parts: 2)).orders.first?.order)
        var report = makeReport(order)
        report.ending = .split([Part(body: []), Part(body: [])])
        stage.hear(.reported([report]))
        let parts = [waiting(2), waiting(3)]
        let zero = Timestamp(rawValue: 0)
        #expect(
            stage.hear(.wrote([.split(one, children: parts)])).announcements == [
                queued(1, attempt: 1, readyAt: nil), queued(2, readyAt: zero),
                queued(3, readyAt: zero),
            ]
        )
    }

    @Test func `queues that are paused or resumed are announced`() {
        var stage = listening
        let mail = QueueName.standard
        let ticket = Ticket(rawValue: 99)
        #expect(
            stage.hear(.wrote([.paused(true, [mail], ticket)])).announcements
                == [.paused(true, mail)]
        )
        #expect(
            stage.hear(.wrote([.paused(false, [mail], ticket)])).announcements
                == [.paused(false, mail)]
        )
    }

    @Test func `a job that runs before it is written is announced after that`() throws {
        var stage = listening
        // Its sort is known to be short.
        let practice = try #require(stage.submit().orders.first?.order)
        stage.hear(.reported([makeReport(practice)]))
        stage.hear(.wrote([.settled(reports: 1), ended(practice)]))

        let asked = stage.ask(.submit([makeSubmission()], isBatch: false, waitMs: 1_000))
        let order = try #require(asked.orders.first?.order)
        #expect(asked.changes.isEmpty)
        let seen = stage.hear(stage.mark(order.sequence))
        #expect(seen.announcements.isEmpty)
        guard case .insert(let insertion)? = seen.changes.first else { throw Missing() }
        let written = stage.hear(.wrote([stage.inserted(insertion)]))
        #expect(written.announcements == [queued(order.job.rawValue, readyAt: stage.now)])
        #expect(
            stage.hear(stage.mark(order.sequence)).announcements
                == [.running(order.job, first, WorkerID(rawValue: 1))]
        )
    }

    @Test func `how far a run is shows in its job, whether or not somebody listens`() throws {
        for state in [JobState.queued, .running] {
            var stage = Stage()
            let order = try #require(stage.submit().orders.first?.order)
            let progress = Progress(done: 3, total: 10)
            let mark = WorkerMark(
                worker: WorkerID(rawValue: 1),
                sequence: order.sequence,
                startedAt: stage.now,
                progress: progress
            )
            stage.hear(.seen([mark]))
            var standing = Job.Standing(readyAt: stage.now)
            standing.state = state
            standing.attempt = state == .running ? first : .none
            let details = JobDetails(
                job: Job(id: one, standing: standing, writes: false, retry: .standard),
                kind: .compute,
                queue: .standard,
                timeoutMs: 60_000,
                createdAt: stage.now
            )
            let asked = stage.ask(.show([one], isBatch: false))
            let ticket = try #require(asked.queries.first?.ticket)
            let shown = stage.hear(.answered(ticket, .shown([details], isIssued: [true])))
            guard case .shown(let jobs, _)? = shown.messages.first?.reply else { throw Missing() }
            #expect(jobs.first?.progress == progress)
            #expect(jobs.first?.job.state == .running)
        }
    }

    private struct Missing: Error {}
}
