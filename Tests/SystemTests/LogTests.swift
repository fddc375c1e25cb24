import JobTesting
import JobWire
import SQLite
import Testing

/// The write-ahead log while somebody else reads the store and does not stop.
@Suite struct LogTests {
    private static let limit: Int64 = 134_217_728

    private func bytes(_ client: Conversation) throws -> Int64 {
        try client.ask("sys.stats")["wal_bytes"]?.integerValue ?? -1
    }

    private func alarms(_ client: Conversation) throws -> [JSON] {
        try client.ask("sys.stats")["alarms"]?.arrayValue ?? []
    }

    @Test func `a foreign reader fills the log up to its limit and no further`() throws {
        var options = RunnerProcess.Options()
        options.settings = ["LIMITS_LOG_BYTES": "\(Self.limit)"]
        let runner = try RunnerProcess(options)
        let client = try Conversation(runner.ipc)
        let first = try client.submit(#"{"kernel":"echo","input":"first"}"#)
        #expect(try client.result(first).text == #""first""#)
        let sleeper = try client.submit(#"{"kernel":"sleep","input":{"ms":600000}}"#)
        try client.waitUntilRunning(sleeper)

        let foreign = try Connection(path: runner.state + "/millrace.db", mode: .readOnly)
        try foreign.begin(to: .read)
        _ = try foreign.row("SELECT count(*) FROM jobs")
        let large = [UInt8](repeating: 7, count: 12 << 20)
        let refused = try eventually("the log is full", within: .seconds(120)) { () -> Said? in
            let said = try client.ask(
                "job.submit",
                #"{"kernel":"digest","input":{"bytes":{"$frame":2}}}"#,
                frames: [large]
            )
            return said.code == "200" ? nil : said
        }
        #expect(refused.code == "503")
        #expect(refused.errorCode == "log_full")
        #expect(refused["error"]?["retry_after_ms"] == 1_000)
        let size = try bytes(client)
        #expect(size >= Self.limit && size < Self.limit + 40 << 20, "\(size)")
        #expect(try alarms(client).count == 1)

        // Reading goes on, and what runs may end.
        #expect(try client.result(first).text == #""first""#)
        #expect(try client.ask("job.cancel", #"{"id":\#(sleeper)}"#).code == "200")
        #expect(try client.result(sleeper).state == "cancelled")
        let small = #"{"kernel":"echo","input":"small"}"#
        #expect(try client.ask("job.submit", small).errorCode == "log_full")

        foreign.rollBack()
        // Without a word from anybody the log is emptied.
        _ = try eventually("the log is small again") {
            try bytes(client) < Self.limit && alarms(client).isEmpty ? true : nil
        }
        let id = try client.submit(small)
        #expect(try client.result(id).text == #""small""#)
    }
}
