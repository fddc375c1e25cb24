import JobTesting
import JobWire
import Testing

/// Short jobs while long ones hold every worker.
@Suite struct ExpressTests {
    private let long = #"{"kernel":"sleep","input":{"ms":600000},"queue":"long"}"#

    /// A runner with two workers that are in long jobs, and ten more that wait.
    private func fullRunner(kernelProcesses: Bool = false) throws -> (RunnerProcess, Conversation) {
        var options = RunnerProcess.Options()
        options.settings = ["KERNEL_PROCESSES": "\(kernelProcesses)"]
        let runner = try RunnerProcess(options)
        let client = try Conversation(runner.ipc)
        let jobs = Array(repeating: long, count: 12).joined(separator: ",")
        let ids = try client.ask("job.submit", #"{"jobs":[\#(jobs)]}"#).ids
        for id in ids.prefix(2) { try client.waitUntilRunning(id) }
        return (runner, client)
    }

    /// So many run, wait and have succeeded. That a job runs is written down when it has for a
    /// moment.
    private func waitFor(_ expected: [Int64], _ client: Conversation) throws {
        _ = try eventually("\(expected) run, wait and have succeeded") {
            let counts = try client.ask("sys.stats")["counts"]
            let found = ["running", "queued", "succeeded"].map { counts?[$0]?.integerValue }
            return found == expected ? true : nil
        }
    }

    @Test(arguments: [false, true])
    func `a short job has its result while long ones hold all workers and ten more wait`(
        kernelProcesses: Bool
    ) throws {
        let (runner, client) = try fullRunner(kernelProcesses: kernelProcesses)
        for work in [#""sql":"select 6*7""#, #""kernel":"echo","input":1"#] {
            for _ in 0..<5 {
                let id = try client.submit("{\(work)}")
                #expect(try client.result(id).state == "succeeded")
            }
        }
        try waitFor([2, 10, 10], client)
        let said = try client.ask("sys.stats")
        #expect(said["express"] == 10)
        #expect(said["workers"]?.arrayValue?.count ?? 0 >= 3)
        #expect(said["alarms"] == [])
        withExtendedLifetime(runner) {}
    }

    @Test func `a long job that nobody knew passes too, and the next short one passes it`() throws {
        let (runner, client) = try fullRunner()
        let query =
            "with recursive n(i) as (select 1 union all select i+1 from n) select sum(i) from n"
        let unknown = try client.submit(#"{"sql":"\#(query)","timeout_ms":600000}"#)
        try client.waitUntilRunning(unknown)
        #expect(try client.result(client.submit(#"{"sql":"select 6*7"}"#)).state == "succeeded")
        try waitFor([3, 10, 1], client)
        // Known by now, and of twice as many workers one is left: it is for short jobs.
        let known = try client.submit(#"{"sql":"\#(query)","timeout_ms":600000}"#)
        #expect(try client.result(client.submit(#"{"sql":"select 6*8"}"#)).state == "succeeded")
        #expect(try client.show(known).state == "queued")
        withExtendedLifetime(runner) {}
    }
}
