import Foundation
import JobCore
import JobStorage
import JobTesting
import Testing

/// The stores that must behave alike, each behind the same two closures.
enum Kind: String, CaseIterable, Sendable {
    case model, memory, file
}

/// A store at the beginning, with a clock and words to make changes with.
final class StoreUnderTest {
    private let write: ([Change], Timestamp) throws -> [Fact]
    private let read: (Query) throws -> Answer
    let directory: TemporaryDirectory?
    var now = Timestamp(rawValue: 1_000_000)
    private var nextID: Int64 = 1
    private var nextTicket: UInt64 = 1

    init(_ kind: Kind, limits: Limits = Limits()) throws {
        switch kind {
        case .model:
            var model = ModelStore(limits: limits)
            write = { model.commit($0, at: $1) }
            read = { model.answer($0) }
            directory = nil
        case .memory:
            let store = try JobStore(inMemory: limits)
            write = { try store.commit($0, at: $1) }
            read = { try store.answer($0) }
            directory = nil
        case .file:
            let place = try TemporaryDirectory()
            let store = try JobStore(path: place.store, limits: limits)
            let reader = try StoreReader(path: place.store, limits: limits)
            write = { try store.commit($0, at: $1) }
            read = { try reader.answer($0) }
            directory = place
        }
    }

    func commit(_ changes: Change...) throws -> [Fact] { try write(changes, now) }
    func commit(all changes: [Change]) throws -> [Fact] { try write(changes, now) }
    func ask(_ query: Query) throws -> Answer { try read(query) }

    func ticket() -> Ticket {
        defer { nextTicket += 1 }
        return Ticket(rawValue: nextTicket)
    }

    func ids(_ count: Int) -> ClosedRange<Int64> {
        defer { nextID += Int64(count) }
        return nextID...(nextID + Int64(count) - 1)
    }

    func insertion(_ jobs: [Submission], file: TakenFile.Row? = nil) -> Insertion {
        Insertion(jobs: jobs, ids: ids(jobs.count), ticket: ticket(), file: file)
    }

    /// Inserts jobs and gives their ids.
    @discardableResult
    func insert(_ jobs: Submission...) throws -> [JobID] {
        try insert(all: jobs)
    }

    @discardableResult
    func insert(all jobs: [Submission]) throws -> [JobID] {
        let facts = try commit(.insert(insertion(jobs)))
        guard case .inserted(_, let accepted, _)? = facts.first else {
            Issue.record("not inserted: \(facts)")
            return []
        }
        return accepted.map(\.id)
    }

    func details(_ id: JobID) throws -> JobDetails {
        guard case .shown(let shown, _) = try ask(.show([id])) else {
            throw Missing()
        }
        return try #require(shown.first ?? nil)
    }

    func state(_ id: JobID) throws -> JobState { try details(id).job.state }

    func counts() throws -> JobCounts {
        guard case .statistics(let statistics) = try ask(.statistics(now: now)) else {
            throw Missing()
        }
        return statistics.counts
    }

    func load(
        _ queue: QueueName = .standard,
        _ turns: Turns = Turns(),
        limit: Int = 100,
        except known: Set<JobID> = []
    ) throws -> (jobs: [Waiting], isAll: Bool) {
        let query = Query.load(Lane(queue, turns), limit: limit, now: now, except: known)
        guard case .loaded(_, let jobs, let isAll, _) = try ask(query) else { throw Missing() }
        return (jobs, isAll)
    }

    struct Missing: Error {}
}

/// A directory that is gone with this object.
final class TemporaryDirectory {
    let url: URL
    var store: String { url.appending(path: "millrace.db").path() }

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "store-\(UUID())")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }
}

// MARK: - Words

let worker = WorkerID(rawValue: 3)
let late = QueueName(rawValue: "late") ?? .standard
let other = QueueName(rawValue: "other") ?? .standard

func makeSpec(
    _ body: String = "{}",
    priority: Int = 0,
    queue: QueueName = .standard,
    writes: String? = nil,
    parts: Int = 1
) -> Spec {
    var spec = Spec(kind: parts > 1 ? .compute : .sql, body: Array(body.utf8), timeoutMs: 60_000)
    spec.priority = priority
    spec.queue = queue
    spec.writes = writes
    spec.parts = parts
    return spec
}

func makeJob(
    _ spec: Spec = makeSpec(),
    key: String? = nil,
    fingerprint: UInt64 = 1,
    start: Submission.Start = .now
) -> Submission {
    var job = Submission(spec: spec, key: key, fingerprint: fingerprint)
    job.start = start
    return job
}

func makeReport(_ job: JobID, _ attempt: Int = 1, _ ending: Report.Ending) -> Report {
    var report = Report(
        job: job,
        attempt: Attempt(rawValue: attempt),
        worker: worker,
        ending: ending,
        startedAt: Timestamp(rawValue: 999_990),
        durationMicros: 1_500
    )
    report.queue = .standard
    return report
}

func success(_ text: String = "[42]") -> Report.Ending {
    .succeeded(Outcome(format: .json, bytes: Array(text.utf8), rows: 1))
}

let glitch = Failure(.kernelError, "It did not work.", hint: "Try again.")
let mistake = Failure(.sqlError, "There is no such table.", isPermanent: true)
