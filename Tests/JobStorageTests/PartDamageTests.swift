import Foundation
import JobCore
import JobTesting
import SQLite
import Testing

@testable import JobStorage

/// A divided job of whose parts not all is left: never put together from the rest.
@Suite("Damaged parts") struct PartDamageTests {
    private let directory: TemporaryDirectory
    private let now = Timestamp(rawValue: 1_700_000_000_000)

    init() throws { directory = try TemporaryDirectory() }

    @Test(arguments: [
        (1, "UPDATE results SET body = x'00' WHERE job_id = 101"),
        (2, "DELETE FROM results WHERE job_id = 102"),
        (2, "UPDATE results SET format = 'odd' WHERE job_id = 102"),
        (3, "UPDATE result_parts SET body = zeroblob(7) WHERE job_id = 103 AND part = 1"),
        (3, "DELETE FROM result_parts WHERE job_id = 103 AND part = 0"),
        (1, "DELETE FROM jobs WHERE id = 101"),
        (2, "UPDATE jobs SET part = 9 WHERE id = 102"),
        (1, "UPDATE jobs SET part = 4 - part WHERE id = 101"),
        (2, "UPDATE jobs SET parent_id = 7 WHERE id = 102"),
        (2, "UPDATE jobs SET state = 'cancelled' WHERE id = 102"),
    ])
    func `a job with a damaged part fails at once, and begins anew when it is retried`(
        part: Int,
        damage: String
    ) throws {
        let store = try JobStore(path: directory.store)
        let outputs = try insertDivided(into: store, at: now)
        #expect(try store.answer(.gather(divided)) == .gathered(divided, outputs))
        let connection = try Connection(path: directory.store, mode: .readWrite)
        try connection.run("PRAGMA ignore_check_constraints = ON")
        try connection.run(damage)
        let reader = try StoreReader(path: directory.store)
        #expect(try reader.answer(.gather(divided)) == .partDamaged(divided, part: part))

        let facts = try store.commit([.spoilWhole(divided, part: part)], at: now)
        let end = JobEnd(
            id: divided,
            state: .failed,
            attempt: Attempt(rawValue: 1),
            failure: .damagedResult.ofPart(part)
        )
        #expect(facts == [.ended(Ended(end: end))])
        let again = try store.commit([.retry([divided], Ticket(rawValue: 2))], at: now)
        guard case .queued(let waiting)? = again.first else {
            Issue.record("\(again)")
            return
        }
        #expect(!waiting.isSplit)
    }

    @Test(arguments: [
        ("UPDATE inputs SET bytes = zeroblob(5) WHERE job_id = 100", [101, 102]),
        ("DELETE FROM inputs WHERE job_id = 100", [101, 102]),
        ("UPDATE inputs SET bytes = x'00' WHERE job_id = 101 AND number < 0", [101]),
        ("UPDATE inputs SET number = -3 WHERE job_id = 102 AND number < 0", [102]),
        ("UPDATE jobs SET parent_id = 7 WHERE id = 101", [101]),
    ])
    func `a part whose shared frame is not what it was given is damaged`(
        damage: String,
        damaged: [Int64]
    ) throws {
        let store = try JobStore(path: directory.store)
        var spec = makeSpec(queue: late, parts: 2)
        spec.frames = [Spec.Frame(number: 2, bytes: [1, 2, 3, 4, 5])]
        let ticket = Ticket(rawValue: 1)
        let insertion = Insertion(jobs: [makeJob(spec)], ids: 100...100, ticket: ticket)
        let parts = sharingParts(2, of: spec)
        let report = makeReport(divided, 1, .split(parts))
        let split = Change.split(report, parts: parts, ids: 101...102)
        _ = try store.commit([.insert(insertion), split], at: now)
        let connection = try Connection(path: directory.store, mode: .readWrite)
        let bytes = "SELECT sum(length(bytes)) FROM inputs WHERE number < 0"
        #expect(try connection.row(bytes) == [.integer(16)])
        try connection.run(damage)
        let reader = try StoreReader(path: directory.store)
        let answer = try reader.answer(.load(Lane(late), limit: 9, now: now, except: []))
        guard case .loaded(_, let jobs, _, let found) = answer else {
            Issue.record("\(answer)")
            return
        }
        #expect(found.map(\.rawValue) == damaged)
        #expect(jobs.count == 2 - damaged.count)
    }

    @Test(arguments: [
        "DELETE FROM result_parts WHERE part = -1",
        "UPDATE result_parts SET body = x'61' WHERE part = -1",
    ])
    func `what a command has said is told as it was or not at all`(damage: String) throws {
        let store = try JobStore(path: directory.store)
        let job = JobID(rawValue: 1)
        let insertion = Insertion(jobs: [makeJob()], ids: 1...1, ticket: Ticket(rawValue: 1))
        let outcome = Outcome(format: .text, bytes: [65], stderr: "said")
        let report = makeReport(job, 1, .succeeded(outcome))
        _ = try store.commit([.insert(insertion), .settle(report)], at: now)
        let connection = try Connection(path: directory.store, mode: .readWrite)
        try connection.run(damage)
        let reader = try StoreReader(path: directory.store)
        #expect(throws: StoreError.self) { try reader.answer(.result(job, .whole)) }
    }

    /// A page that SQLite itself cannot read is no reason to ask again and again.
    @Test func `a part on a broken page is a damaged part`() throws {
        let store = try JobStore(path: directory.store)
        _ = try insertDivided(into: store, at: now)
        try store.shrinkLog()
        let connection = try Connection(path: directory.store, mode: .readOnly)
        let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'results'"
        guard case .integer(let page)? = try connection.row(root)?.first else { return }
        let file = try FileHandle(forWritingTo: URL(filePath: directory.store))
        try file.seek(toOffset: UInt64(page - 1) * 4_096)
        try file.write(contentsOf: Data(repeating: 0xA5, count: 4_096))
        try file.close()
        let reader = try StoreReader(path: directory.store)
        #expect(try reader.answer(.gather(divided)) == .partDamaged(divided, part: 1))
    }
}

// MARK: - Words

let divided = JobID(rawValue: 100)

/// Parts that share all frames of their parent and have one of their own.
func sharingParts(_ count: UInt8, of spec: Spec) -> [Part] {
    (0..<count).map { place in
        var frames = spec.frames
        for frame in frames.indices { frames[frame].isShared = true }
        frames.append(Spec.Frame(number: 9, bytes: [place]))
        return Part(body: [97 + place], frames: frames)
    }
}

/// A job whose parts have succeeded, and which nobody has put together.
///
/// - Returns: What the parts made: some bytes, several pages, and more than one row.
func insertDivided(into store: JobStore, at now: Timestamp) throws -> [[UInt8]] {
    let insertion = Insertion(
        jobs: [makeJob(makeSpec(queue: late, parts: 3))],
        ids: 100...100,
        ticket: Ticket(rawValue: 1)
    )
    let outputs = [30, 9_000, 1_200_000].map { [UInt8](repeating: UInt8($0 % 251), count: $0) }
    let parts = outputs.map { _ in Part(body: Array("{}".utf8)) }
    let split = Change.split(makeReport(divided, 1, .split(parts)), parts: parts, ids: 101...103)
    _ = try store.commit([.insert(insertion), split], at: now)
    for (place, bytes) in outputs.enumerated() {
        let outcome = Outcome(format: .bytes, bytes: bytes)
        let report = makeReport(JobID(rawValue: 101 + Int64(place)), 1, .succeeded(outcome))
        _ = try store.commit([.settle(report)], at: now)
    }
    return outputs
}
