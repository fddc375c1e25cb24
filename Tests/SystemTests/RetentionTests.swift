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
}
