import Foundation
import JobCore
import JobStorage
import JobTesting
import Logging
import SQLite
import Testing

@testable import JobRunner

/// The writer's thread, before a store whose disk is full for a while.
@Suite("The writer") struct WriterLoopTests {
    /// Fails as often as it is told; the first failure is when the stop comes.
    private final class FullStore: WriterStore {
        var commitFailures: [StoreError]
        var stopFailure: StoreError?
        var written: [Change] = []
        /// How many changes each commit had.
        var commits: [Int] = []
        /// What the next commits tell.
        var facts: [Fact] = []
        var isStopped = false
        var whenWritten: ([Change]) -> Void = { _ in }
        private let whenFull: () -> Void

        init(_ failures: [StoreError], stop: StoreError? = nil, whenFull: @escaping () -> Void) {
            commitFailures = failures
            stopFailure = stop
            self.whenFull = whenFull
        }

        func commit(_ changes: [Change], at now: Timestamp) throws(StoreError) -> [Fact] {
            guard commitFailures.isEmpty else {
                whenFull()
                throw commitFailures.removeFirst()
            }
            written += changes
            commits.append(changes.count)
            whenWritten(changes)
            return facts
        }

        func stop(_ run: RunID, at now: Timestamp) throws(StoreError) {
            if let stopFailure { throw stopFailure }
            isStopped = true
        }

        func answer(_ query: Query) throws(StoreError) -> Answer { .selected([], next: nil) }

        var logBytes: Int64 = 0
        var shrinkFailures: [StoreError] = []
        var timesShrunk = 0

        func shrinkLog() throws(StoreError) {
            timesShrunk += 1
            if !shrinkFailures.isEmpty { throw shrinkFailures.removeFirst() }
            logBytes = 0
        }

        func recover(inFlight: [InFlight], at now: Timestamp) throws(StoreError) -> Recovery {
            Recovery(
                run: RunID(rawValue: 1),
                lost: [],
                poisoned: [],
                reserved: 1...1,
                store: StoreID(rawValue: "test")
            )
        }
    }

    private let inbox = Mailbox<WriterLetter>()
    private let done = Mailbox<Bool>()
    private let facts = Mailbox<BrokerLetter>()
    private let alarm = Alarm(Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    private let full = StoreError.full(path: "jobs.db")
    private let change = Change.closeFile(FileID(rawValue: 1))

    /// Lets the writer work until the end, which it is asked for when it has failed first.
    private func work(on store: FullStore) throws -> Bool {
        inbox.put(.changes([change]))
        try makeLoop(store, RunID(rawValue: 1)).work()
        return !done.wait(ms: 0).isEmpty
    }

    private func makeLoop(
        _ store: any WriterStore,
        _ run: RunID,
        mostLogBytes: Int64 = .max
    ) -> WriterLoop {
        WriterLoop(
            store,
            run,
            inbox: inbox,
            facts: facts,
            RunClock(),
            alarm,
            mostLogBytes: mostLogBytes
        )
    }

    private func makeStore(_ failures: [StoreError], stop: StoreError? = nil) -> FullStore {
        FullStore(failures, stop: stop) { [inbox, done] in
            inbox.put(.stop { done.put(true) })
        }
    }

    @Test func `what waits for a full disk is written before the end, when there is room again`()
        throws
    {
        let store = makeStore([full])
        #expect(try work(on: store))
        #expect(store.written == [change])
        #expect(store.isStopped)
    }

    @Test func `that nothing can be written is told though no client has asked for it`() throws {
        #expect(try work(on: makeStore([full])))
        guard case .event(.wrote(let told))? = facts.takeAll().first else {
            Issue.record("nothing was told")
            return
        }
        #expect(told == [.unwritable(full.refusal)])
    }

    @Test func `a full disk keeps nobody from stopping`() throws {
        let store = makeStore([full, full], stop: full)
        #expect(try work(on: store))
        #expect(store.written == [])
    }

    @Test func `a full disk that keeps the log from being emptied ends nothing`() throws {
        let store = makeStore([full])
        store.logBytes = 1 << 30
        store.shrinkFailures = [full, .readOnly(path: "jobs.db")]
        #expect(try work(on: store))
        #expect(store.written == [change])
        #expect(store.isStopped)
    }

    @Test func `a log that cannot be emptied for worse reasons ends the writer`() throws {
        let store = makeStore([])
        store.logBytes = 1 << 30
        store.shrinkFailures = [.notAStore(path: "jobs.db")]
        #expect(throws: StoreError.notAStore(path: "jobs.db")) { try work(on: store) }
    }

    /// They bring nothing that somebody waits for, and much into the log.
    @Test func `steps of large files wait until the log is small again`() throws {
        let store = makeStore([])
        store.logBytes = 10
        store.shrinkFailures = [full]
        let steps = [Change.release(FileID(rawValue: 7)), .unstage("1-2-a.jsonl")]
        store.whenWritten = { [inbox] in if $0.contains(steps[1]) { inbox.put(.stop {}) } }
        inbox.put(.changes([steps[0], change, steps[1]]))
        try makeLoop(store, RunID(rawValue: 1), mostLogBytes: 5).work()
        #expect(store.written == [change] + steps)
    }

    @Test func `a long log keeps no step of a large file from being left to the next start`() throws
    {
        let store = makeStore([])
        store.logBytes = 10
        store.shrinkFailures = [full, full, full]
        inbox.put(.changes([.release(FileID(rawValue: 7)), change]))
        inbox.put(.stop {})
        try makeLoop(store, RunID(rawValue: 1), mostLogBytes: 5).work()
        #expect(store.isStopped)
    }

    @Test func `a job that comes during a step of a large file waits for no second one`() throws {
        let store = makeStore([])
        let job = Submission(spec: Spec(kind: .sql, body: [], timeoutMs: 1), fingerprint: 1)
        let insertion = Insertion(jobs: [job], ids: 1...1, ticket: Ticket(rawValue: 1))
        let step = Change.release(FileID(rawValue: 7))
        var hasCome = false
        store.whenWritten = { [inbox] changes in
            guard changes == [step], !hasCome else { return }
            hasCome = true
            inbox.put(.changes([.insert(insertion)]))
            inbox.put(.changes([step]))
            inbox.put(.stop {})
        }
        inbox.put(.changes([step]))
        try makeLoop(store, RunID(rawValue: 1)).work()
        #expect(store.written == [step, .insert(insertion), step])
        #expect(store.commits == [1, 1, 1])
    }

    @Test func `a commit is bounded in what jobs and parts bring with them`() throws {
        let frame = Spec.Frame(number: 2, bytes: [UInt8](repeating: 1, count: 3 << 20))
        var spec = Spec(kind: .compute, body: [], timeoutMs: 1)
        spec.frames = [frame]
        let insertion = Insertion(
            jobs: [Submission(spec: spec, fingerprint: 1)],
            ids: 1...1,
            ticket: Ticket(rawValue: 1)
        )
        let parts = [Part(body: [], frames: [frame])]
        let report = Report(
            job: JobID(rawValue: 1),
            attempt: Attempt(rawValue: 1),
            worker: WorkerID(rawValue: 1),
            ending: .split(parts),
            startedAt: Timestamp(rawValue: 1),
            durationMicros: 1
        )
        let split = Change.split(report, parts: parts, ids: 2...2)
        let store = makeStore([])
        inbox.put(.changes([.insert(insertion), split, .insert(insertion)]))
        inbox.put(.stop {})
        try makeLoop(store, RunID(rawValue: 1)).work()
        #expect(store.commits == [1, 1, 1])
    }

    @Test func `new jobs behind many others wait for the next commit, once`() throws {
        let job = Submission(spec: Spec(kind: .sql, body: [], timeoutMs: 1), fingerprint: 1)
        let insertion = Insertion(jobs: [job], ids: 1...1, ticket: Ticket(rawValue: 1))
        for (others, commits) in [(63, [65]), (64, [64, 2])] {
            let store = makeStore([])
            let changes = Array(repeating: change, count: others)
            inbox.put(.changes(changes + [.insert(insertion), change]))
            inbox.put(.stop {})
            try makeLoop(store, RunID(rawValue: 1)).work()
            #expect(store.commits == commits)
        }
    }

    @Test func `the alarm of a full disk stays until something was written`() throws {
        let late = makeStore([full])
        late.facts = [.cameLate(JobID(rawValue: 1), Attempt(rawValue: 1))]
        #expect(try work(on: late))
        #expect(!alarm.sentences.isEmpty)
        #expect(try work(on: makeStore([full])))
        #expect(alarm.sentences.isEmpty)
    }

    @Test func `after a stop all is in the database itself`() throws {
        let directory = try TemporaryDirectory()
        let store = try JobStore(path: directory.path + "/jobs.db")
        let recovery = try store.recover(inFlight: [], at: Timestamp(rawValue: 1))
        inbox.put(.stop {})
        try makeLoop(store, recovery.run).work()
        let copy = directory.path + "/copy.db"
        try FileManager.default.copyItem(atPath: directory.path + "/jobs.db", toPath: copy)
        let runs = try Connection(path: copy, mode: .readOnly).row("SELECT count(*) FROM runs")
        #expect(runs == [1])
    }

    @Test func `a disk that does not heal ends the writer`() throws {
        let readOnly = StoreError.notAStore(path: "jobs.db")
        #expect(throws: readOnly) { try work(on: makeStore([full, readOnly])) }
        #expect(throws: readOnly) { try work(on: makeStore([full], stop: readOnly)) }
    }
}
