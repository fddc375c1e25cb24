import JobTesting
import JobWire
import Testing

/// The removal of old jobs, in the built program.
@Suite struct RetentionTests {
    @Test func `a job that asks for it is gone soon after its end, and says so`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        let short = try client.submit(#"{"kernel":"echo","input":1,"keep_ms":0,"key":"k"}"#)
        let long = try client.submit(#"{"kernel":"echo","input":2}"#)
        let split = try client.submit(
            #"{"kernel":"primes","input":{"below":1000},"parts":4,"keep_ms":0}"#
        )
        #expect(try client.result(long).text == "2")
        for id in [short, split] {
            _ = try eventually("job \(id) is removed", within: .seconds(60)) {
                try client.show(id).code == "410" ? true : nil
            }
            #expect(try client.ask("job.result", #"{"id":\#(id)}"#).errorCode == "expired")
        }
        #expect(try client.show(split + 100_000_000).code == "404")
        #expect(try client.result(long).text == "2")
        let counts = try client.ask("sys.stats")["counts"]
        #expect(counts?["succeeded"] == 1)
        #expect(try client.submit(#"{"kernel":"echo","input":3,"key":"k"}"#) > split)
    }

    /// Goal: what is read straight through comes whole, is in no file, and a restart changes
    /// nothing about that. Sizes: one that libzmq holds in a message of its own, and one of many
    /// pages that a stored result has in parts.
    @Test(arguments: [10, 5_000_000])
    func `a result that is not kept comes once, and then is gone`(bytes: Int) throws {
        let runner = try RunnerProcess()
        var client = try Conversation(runner.ipc)
        let sql = "select hex(zeroblob(\(bytes / 2)))"
        let body = #"{"sql":"\#(sql)","format":"csv","keep_ms":0,"wait_ms":30000}"#
        let told = try client.ask("job.submit", body)
        #expect(told.code == "200", "\(told.head)")
        let header = "\(sql.dropFirst("select ".count))\r\n"
        #expect(told.text == header + String(repeating: "0", count: bytes / 2 * 2) + "\r\n")
        let id = try #require(told["id"]?.integerValue)
        let later = try client.ask("job.result", #"{"id":\#(id),"wait_ms":1000}"#)
        #expect(later.code == "410" && later.errorCode == "expired", "\(later.head)")
        try runner.killAll()
        try runner.restart()
        client = try Conversation(runner.ipc)
        #expect(try client.ask("job.result", #"{"id":\#(id)}"#).errorCode == "expired")
    }
}
