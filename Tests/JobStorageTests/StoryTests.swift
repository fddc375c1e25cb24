import JobCore
import JobStorage
import JobTesting
import Testing

/// Goal: whatever happens, in whatever order, the store on disk and the model say the same.
/// Method: random changes, fitting or not; each story can be repeated from its seed.
@Suite("Stories") struct StoryTests {
    @Test(arguments: [UInt64](1...200))
    func `the store tells the same story as the model`(seed: UInt64) throws {
        var limits = Limits()
        limits.waitingJobs = 60
        let model = try StoreUnderTest(.model, limits: limits)
        let store = try StoreUnderTest(.memory, limits: limits)
        var story = Story(seed: seed)
        for step in 1...60 {
            let changes = try story.nextChanges(known: model)
            let told = try model.commit(all: changes)
            let facts = try store.commit(all: changes)
            try #require(facts == told, "seed \(seed), step \(step): \(changes)")
            model.now = story.now
            store.now = story.now
            guard step.isMultiple(of: 20) else { continue }
            for query in story.queries {
                let (answer, expected) = (try store.ask(query), try model.ask(query))
                try #require(
                    answer.withoutBytes == expected.withoutBytes,
                    "seed \(seed), step \(step): \(query)"
                )
            }
        }
    }
}

/// Makes up what happens next.
private struct Story {
    var now = Timestamp(rawValue: 1_000_000)
    private var random: SeededGenerator
    private var nextID: Int64 = 1
    private var nextTicket: UInt64 = 1
    private var nextFile = 1
    /// A file that is written in pieces, and how many of its jobs are.
    private var large = Large()

    private struct Large {
        var number = 0
        var total = 0
        var place = 0
        var ids: ClosedRange<Int64> = 1...1
        var jobs: [Submission] = []
    }

    private let retention: Retention
    private static let token: Int64 = -7

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        var retention = Retention()
        retention.succeededMs = 1_000
        retention.failedMs = 3_000
        self.retention = retention
    }

    var queries: [Query] {
        let ids = (0...(nextID + 1)).map(JobID.init)
        let filters =
            [JobFilter(), JobFilter(queue: late), JobFilter(kind: .compute)]
            + JobState.allCases.map { JobFilter(state: $0) }
        var queries: [Query] = [
            .show(ids), .ends(ids), .survey(now: now), .queues(nil), .queues(late),
            .statistics(now: now), .load(Lane(.standard), limit: 3, now: now),
            .load(Lane(late), limit: 100, now: now), .expired(retention, after: nil, now: now),
            .expired(retention, after: ids.last, now: now),
        ]
        for id in ids {
            let known = TitanicID(job: id, token: Self.token)
            queries += [
                .result(id, ByteRange(offset: 1, limit: 3)), .gather(id), .titanicResult(known),
                .titanicOwner(known), .titanicOwner(TitanicID(job: id, token: 0)),
            ]
        }
        for filter in filters {
            queries += [
                .list(filter, after: nil, limit: 5), .list(filter, after: ids.last, limit: 100),
                .select(filter, after: ids.first, limit: 7),
            ]
        }
        return queries
    }

    mutating func nextChanges(known: StoreUnderTest) throws -> [Change] {
        now = now.adding(ms: Int64(pick(0, 1, 400, 2_000)))
        var changes: [Change] = []
        for _ in 0..<pick(1, 1, 2, 5) {
            changes.append(try nextChange(known))
        }
        return changes
    }

    private mutating func nextChange(_ known: StoreUnderTest) throws -> Change {
        let id = JobID(rawValue: Int64.random(in: 0...nextID, using: &random))
        var current = Attempt.none
        if case .shown(let shown, _) = try known.ask(.show([id])), let job = shown.first??.job {
            current = job.attempt
        }
        let attempt = Attempt(rawValue: current.rawValue + pick(0, 1, 1, 1, 1, 2))
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<5 where pick(true, false, false): return nextOfLarge()
        case 0..<5: return .insert(insertion())
        case 5: return .start(id, current.next, worker, at: now)
        case 6..<10:
            var report = makeReport(id, attempt.rawValue, ending())
            report.queue = pick(nil, .standard, late)
            return .settle(report)
        case 10..<13:
            let frames = [2, 7].map { Spec.Frame(number: $0, bytes: [1, 2], isShared: true) }
            let attached = pick([], [], frames, frames + [Spec.Frame(number: 8, bytes: [3])])
            let parts = (0..<pick(1, 2, 4)).map {
                Part(body: [0x30 + UInt8($0)], frames: attached)
            }
            let report = makeReport(id, attempt.rawValue, .split(parts))
            return .split(report, parts: parts, ids: ids(parts.count))
        case 13: return .lose(id, attempt, worker, reason: "gone")
        case 14, 15:
            let active = pick(nil, attempt)
            return .cancel([Target(id, active: active), Target(JobID(rawValue: 3))], ticket())
        case 16: return .retry([id, JobID(rawValue: id.rawValue + 1)], ticket())
        case 17 where pick(true, false):
            let active = pick(nil, attempt)
            return .close([Target(id, active: active), Target(JobID(rawValue: 4))], ticket())
        case 17: return .delete([id, JobID(rawValue: id.rawValue + 1)], ticket())
        case 18: return .setPaused(pick(true, false), pick(nil, .standard, late), ticket())
        default:
            let some = [id, JobID(rawValue: id.rawValue + 2)]
            return pick(
                .reserve(upTo: nextID),
                .closeFile(FileID(rawValue: pick(1, 2))),
                .expire(some, retention, ticket())
            )
        }
    }

    /// The next piece of the large file, or one that was told before; or a step behind that.
    private mutating func nextOfLarge() -> Change {
        let takenAs = "9-\(large.number)"
        guard large.place < large.total else {
            let file = FileID(rawValue: large.ids.lowerBound)
            if pick(true, true, false) { beginLarge() }
            return pick(.release(file), .release(file), .unstage(takenAs))
        }
        if pick(false, false, false, false, false, false, true) {
            large.place = large.total
            return .unstage(takenAs)
        }
        let place = max(0, pick(large.place, large.place, large.place, large.place - 1, 0))
        let count = min(pick(1, 1, 2), large.total - place)
        let row = TakenFile.Row(name: "l.jsonl", takenAs: takenAs, bytes: 9, digest: "00")
        var jobs = Array(large.jobs[place..<(place + count)])
        // The settings are others by now.
        if pick(false, false, false, false, false, true) { jobs[0] = submission() }
        let piece = FilePiece(row: row, total: large.total, place: place, jobs: jobs)
        large.place = max(large.place, piece.end)
        return .stage(Staging(piece: piece, ids: large.ids, ticket: ticket()))
    }

    private mutating func beginLarge() {
        large = Large(number: large.number + 1, total: pick(1, 3, 5))
        large.ids = ids(large.total)
        large.jobs = (0..<large.total).map { _ in submission() }
    }

    private mutating func ending() -> Report.Ending {
        pick(
            success(),
            success("[7, 8, 9]"),
            .failed(glitch),
            .failed(mistake),
            .brokenOff,
            .putBack
        )
    }

    private mutating func insertion() -> Insertion {
        var jobs = (0..<pick(1, 2, 4)).map { _ in submission() }
        for place in jobs.indices where pick(true, false, false) {
            jobs[place].after = (0..<pick(1, 1, 2, 3)).map { _ in predecessor(of: jobs.count) }
            jobs[place].onFailure = pick(.fail, .fail, .run)
        }
        var file: TakenFile.Row?
        if pick(true, false, false) {
            nextFile += pick(0, 1, 1)
            file = TakenFile.Row(name: "a.sql", takenAs: "1-\(nextFile)", bytes: 9, digest: "00")
        }
        return Insertion(jobs: jobs, ids: ids(jobs.count), ticket: ticket(), file: file)
    }

    /// A job that there may be, or one of the same submission, also one that comes after it: what
    /// waits for itself waits for ever, in every store.
    private mutating func predecessor(of count: Int) -> Predecessor {
        let place = Int.random(in: 0..<count, using: &random)
        let id = JobID(rawValue: Int64.random(in: max(0, nextID - 12)...nextID, using: &random))
        var predecessor = pick(
            Predecessor(.job(id)),
            Predecessor(.sibling("\(place)"), place: place)
        )
        predecessor.givesResult = pick(true, false)
        return predecessor
    }

    private mutating func submission() -> Submission {
        var spec = makeSpec(
            priority: pick(-3, 0, 0, 9),
            queue: pick(.standard, late),
            writes: pick(nil, nil, "main"),
            parts: pick(1, 4)
        )
        spec.retry = RetryPolicy(maxAttempts: pick(1, 2, 5), firstMs: 300, longestMs: 900)
        spec.tags = pick([], ["a", "b\n"])
        spec.keepMs = pick(nil, nil, nil, 0, 5_000)
        spec.salt = pick(nil, nil, Self.token)
        if spec.writes == nil, spec.parts == 1 { spec.skill = pick(nil, nil, "shout") }
        if pick(true, false, false) { spec.frames = [Spec.Frame(number: 2, bytes: [1, 2])] }
        return makeJob(
            spec,
            key: pick(nil, nil, nil, "x", "y", "z"),
            fingerprint: pick(1, 1, 1, 2),
            start: pick(.now, .now, .after(ms: 700), .at(Timestamp(rawValue: 5)))
        )
    }

    private mutating func ids(_ count: Int) -> ClosedRange<Int64> {
        defer { nextID += Int64(count) }
        return nextID...(nextID + Int64(count) - 1)
    }

    private mutating func ticket() -> Ticket {
        nextTicket += 1
        return Ticket(rawValue: nextTicket)
    }

    private mutating func pick<Choice>(_ choices: Choice...) -> Choice {
        choices[Int.random(in: 0..<choices.count, using: &random)]
    }
}

extension Answer {
    /// The model has no file to measure.
    fileprivate var withoutBytes: Answer {
        guard case .statistics(var statistics) = self else { return self }
        statistics.storeBytes = 0
        statistics.walBytes = 0
        return .statistics(statistics)
    }
}
