import JobTesting
import JobWire
import Testing

/// Jobs that take results, and more of them than anybody has time for.
@Suite struct TakingTests {
    @Test func `putting results into a job ends with the job's time`() throws {
        var options = RunnerProcess.Options()
        options.settings = ["STUCK_MS": "2000"]
        let runner = try RunnerProcess(options)
        let client = try Conversation(runner.ipc)
        let numbers = "[" + String(repeating: "1,", count: 300_000) + "0]"
        let load = try client.submit(#"{"kernel":"echo","input":\#(numbers)}"#)
        _ = try client.result(load)
        // Each of these walks over all of them.
        let last = #"{"$result":\#(load),"path":[300000]}"#
        let many = [String](repeating: last, count: 20_000).joined(separator: ",")
        let id = try client.submit(
            #"{"kernel":"echo","after":[\#(load)],"timeout_ms":500,"max_attempts":1,"#
                + #""input":[\#(many)]}"#
        )
        let said = try client.result(id)
        #expect(said.errorCode == "timeout", "\(said.head)")
        let again = try client.submit(
            #"{"kernel":"echo","after":[\#(load)],"max_attempts":1,"input":[\#(many)]}"#
        )
        try client.waitUntilRunning(again)
        try client.ask("job.cancel", #"{"id":\#(again)}"#)
        #expect(try client.result(again).state == "cancelled")
    }
}
