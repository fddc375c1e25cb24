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
    @Test(arguments: [Changes.insertJob, .job, .updateJob, .insertResult])
    func `a job's own statements make no tables of their own`(change: Changes) throws {
        let connection = try StoreFile.openInMemory()
        let program = try connection.rows("EXPLAIN \(change.sql)")
        #expect(!program.contains { $0.contains(.text("OpenEphemeral")) })
    }

    @Test func `lanes are sought, and not walked through`() throws {
        let connection = try StoreFile.openInMemory()
        let plan = try connection.rows("EXPLAIN QUERY PLAN \(Questions.nextLane.sql)")
        guard case .text(let step)? = plan.first?.last else { return }
        #expect(step.contains("jobs_ready ((queue,turns)>(?,?))"), "\(step)")
    }

    @Test func `tags are one text and come back`() {
        for tags in [[], [""], ["a", "", "b"], ["\n", "\\n", "\\", "ü\n\\\n"]] {
            #expect(TagLines.split(TagLines.joined(tags)) == tags)
        }
        #expect(TagLines.joined(["a", "b"]) == "a\nb")
    }
}
