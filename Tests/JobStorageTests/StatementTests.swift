import JobCore
import SQLite
import Testing

@testable import JobStorage

/// No statement may cost more because there are more jobs.
@Suite("Statements") struct StatementTests {
    /// Tables that stay small, whatever happens.
    static let small = ["queues", "runs", "marks"]

    @Test(arguments: Changes.allCases.map(\.sql) + Questions.allCases.map(\.sql))
    func `no statement walks through a table or sorts`(sql: String) throws {
        let connection = try StoreFile.openInMemory()
        for row in try connection.rows("EXPLAIN QUERY PLAN \(sql)") {
            guard case .text(let step)? = row.last else { continue }
            let words = step.split(separator: " ").map(String.init)
            let isSmall = words.count > 1 && Self.small.contains(words[1])
            #expect(!step.hasPrefix("SCAN") || isSmall, "\(step): \(sql)")
            #expect(!step.contains("TEMP B-TREE"), "\(step): \(sql)")
        }
    }

    /// Goal: no rule of the schema costs more than a comparison. An `IN` of three values made each
    /// job four times as expensive.
    @Test(arguments: [Changes.insertJob, .job, .updateJob, .succeed, .insertResult])
    func `a job's own statements make no tables of their own`(change: Changes) throws {
        let connection = try StoreFile.openInMemory()
        let program = try connection.rows("EXPLAIN \(change.sql)")
        #expect(!program.contains { $0.contains(.text("OpenEphemeral")) })
    }

    @Test func `what the dispatcher asks for costs the same however many jobs wait`() throws {
        let few = try operations(waiting: 10)
        let many = try operations(waiting: 3_000)
        #expect(many <= few, "\(few) operations of SQLite with 10 jobs, \(many) with 3000")
    }

    /// Of a survey, a load and the figures.
    private func operations(waiting count: Int64) throws -> Int {
        let directory = try TemporaryDirectory()
        let store = try JobStore(path: directory.store)
        let now = Timestamp(rawValue: 1_000_000)
        for (place, queue) in [QueueName.standard, late].enumerated() {
            let jobs = (0..<count).map { _ in makeJob(makeSpec(queue: queue)) }
            let first = Int64(place) * count + 1
            let ticket = Ticket(rawValue: UInt64(place))
            let insertion = Insertion(jobs: jobs, ids: first...(first + count - 1), ticket: ticket)
            _ = try store.commit([.insert(insertion)], at: now)
        }
        let reader = try StoreReader(path: directory.store)
        var operations = 0
        reader.connection.onProgress(every: 1) {
            operations += 1
            return true
        }
        for query: Query in [
            .survey(now: now), .load(Lane(late), limit: 5, now: now), .statistics(now: now),
        ] {
            _ = try reader.answer(query)
        }
        return operations
    }

    @Test func `a start costs the same however many jobs wait`() throws {
        let store = try JobStore(inMemory: Limits())
        let jobs = (0..<Int64(3_000)).map { _ in makeJob() }
        let insertion = Insertion(jobs: jobs, ids: 1...3_000, ticket: Ticket(rawValue: 1))
        let now = Timestamp(rawValue: 1_000_000)
        _ = try store.commit([.insert(insertion)], at: now)
        var operations = 0
        store.reader.connection.onProgress(every: 1) {
            operations += 1
            return true
        }
        _ = try store.recover(inFlight: [], at: now)
        #expect(operations < 2_000)
    }

    @Test func `tags are one text and come back`() {
        for tags in [[], [""], ["a", "", "b"], ["\n", "\\n", "\\", "ü\n\\\n"]] {
            #expect(TagLines.split(TagLines.joined(tags)) == tags)
        }
        #expect(TagLines.joined(["a", "b"]) == "a\nb")
    }
}
