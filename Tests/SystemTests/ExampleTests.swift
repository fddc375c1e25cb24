import Foundation
import Glibc
import JobTesting
import JobWire
import Testing

/// What the files in `jobs/examples` promise of more than their own results.
@Suite struct ExampleTests {
    let runner: RunnerProcess
    let client: Conversation

    init() throws {
        runner = try RunnerProcess()
        client = try Conversation(runner.ipc)
    }

    /// The example as it is, but for how far the loop counts: to 10^10 it would take a core of a
    /// program that is built for tests minutes.
    ///
    /// - Returns: The numbers of the loop and of the call.
    private func dropCounting(to: Int) throws -> (loop: Int64, call: Int64) {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../jobs/examples/counting.yaml")
        let text = try String(contentsOf: path, encoding: .utf8)
        try #require(text.components(separatedBy: "{to: 10000000000}").count == 2)
        let changed = text.replacing("{to: 10000000000}", with: "{to: \(to)}")
        try Data(changed.utf8).write(to: URL(filePath: runner.spool + "/.counting.yaml"))
        let name = runner.spool + "/counting.yaml"
        try #require(rename(runner.spool + "/.counting.yaml", name) == 0)
        let ids = try eventually("the file is taken") {
            FileManager.default.contents(atPath: runner.spool + "/done/counting.yaml.ids")
        }
        let numbers = String(decoding: ids, as: UTF8.self).split(separator: "\n").compactMap {
            Int64($0)
        }
        try #require(numbers.count == 2)
        return (numbers[0], numbers[1])
    }

    @Test func `the call is answered while the loop counts on every worker`() throws {
        let (loop, call) = try dropCounting(to: 9_000_000_000_000_000)
        let said = try client.result(call)
        #expect(said.text == #"{"sum":42,"count":2}"#)
        let shown = try client.show(loop)
        #expect(shown["waits_for"] == 16, "\(shown.head)")
        #expect(shown["progress"] == ["done": 0, "total": 16])
        let workers = try client.ask("sys.stats")["workers"]?.arrayValue ?? []
        #expect(workers.count { $0["job"]?.integerValue ?? 0 > call } >= 2, "\(workers)")
        #expect(try client.ask("job.cancel", #"{"id":\#(loop)}"#).code == "200")
        #expect(try client.result(loop).state == "cancelled")
    }

    @Test func `the loop has counted to its end`() throws {
        _ = try dropCounting(to: 10_000_000)
        let results = try eventually("the file's jobs have ended") {
            FileManager.default.contents(atPath: runner.spool + "/results/counting.yaml.json")
        }
        let jobs = try JSON(parsing: Array(results))["jobs"]?.arrayValue ?? []
        #expect(jobs.map { $0["state"] } == ["succeeded", "succeeded"])
        #expect(jobs.map { $0["result"] } == [["count": 10_000_000], ["sum": 42, "count": 2]])
    }
}
