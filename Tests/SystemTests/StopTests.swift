import Glibc
import JobTesting
import JobWire
import Testing

/// How the runner stops when it is asked, once or twice, and what it leaves to the next run.
@Suite struct StopTests {
    @Test func `stops under load lose nothing, and no job is blamed`() throws {
        let row = FaultRow("stop", count: 5)
        let broken = try row.run("SIGTERM under load, every other one twice") { tally in
            var options = RunnerProcess.Options()
            options.settings = ["DRAIN_MS": "300"]
            try Siege.campaign(row, tally) { seed in
                try Siege(seed: seed, options)
            } strike: { siege in
                let (runner, book) = (siege.runner, siege.book)
                guard try siege.press() else { return false }
                let isTwice = tally.tried.isMultiple(of: 2)
                book.mayBeRefused = true
                runner.process.signal(SIGTERM)
                if isTwice {
                    letPass(microseconds: UInt32(book.below(100_000)))
                    runner.process.signal(SIGTERM)
                }
                try eventually("the runner stops") { () -> Void? in
                    if book.unansweredCount < 16 { try book.submit() }
                    try book.listen(within: .milliseconds(1))
                    return runner.process.hasEnded ? () : nil
                }
                let code = try runner.process.waitForEnd()
                if code != 0 { tally.broken.append("seed \(row.seed): It ended with \(code).") }
                try book.listen()
                book.mayBeRefused = false
                try siege.comeBack { try runner.restart() }
                try book.compareWithList()
                if book.pastAttempts > 0 {
                    tally.broken.append("\(book.pastAttempts) attempts were counted.")
                }
                return true
            }
        }
        #expect(broken.isEmpty, "\(broken.prefix(10))")
    }

    private func start(
        workers: Int = 1,
        drainMs: Int = 30_000,
        program: String = "millrace",
        stuckMs: Int = 10_000
    ) throws -> RunnerProcess {
        var options = RunnerProcess.Options()
        options.workers = workers
        options.program = program
        options.settings = [
            "DRAIN_MS": "\(drainMs)", "STUCK_MS": "\(stuckMs)", "EXPRESS": "false",
        ]
        return try RunnerProcess(options)
    }

    @Test(arguments: [true, false])
    func `a stop lets running jobs finish and keeps waiting ones`(supervised: Bool) throws {
        var options = RunnerProcess.Options()
        options.workers = 1
        options.settings = ["EXPRESS": "false"]
        options.supervised = supervised
        let runner = try RunnerProcess(options)
        let client = try Conversation(runner.ipc)
        let running = try client.submit(#"{"kernel":"sleep","input":{"ms":500}}"#)
        let waiting = try client.submit(#"{"kernel":"echo","input":1}"#)
        try client.waitUntilRunning(running)
        runner.process.signal(SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)

        try runner.restart()
        let again = try Conversation(runner.ipc)
        #expect(try again.result(running).text == #"{"slept_ms":500}"#)
        #expect(try again.show(running)["attempt"] == 1)
        #expect(try again.result(waiting).text == "1")
        #expect(try again.show(waiting)["attempts"] == [])
        #expect(try again.run == 2)
    }

    @Test func `a client that waits hears of the job that finishes in a drain`() throws {
        let runner = try start()
        let client = try Conversation(dealer: runner.tcp)
        try client.say("job.submit", #"{"kernel":"sleep","input":{"ms":600},"wait_ms":30000}"#)
        let other = try Conversation(runner.ipc)
        _ = try eventually("it runs") {
            try other.ask("sys.stats")["counts"]?["running"] == 1 ? true : nil
        }
        runner.process.signal(SIGTERM)
        let said = try client.hear()
        #expect(said.code == "200", "\(said.head)")
        #expect(said.text == #"{"slept_ms":600}"#)
        #expect(try runner.process.waitForEnd() == 0)
    }

    /// The job's result is among the last that the runner says, and takes the client a while.
    @Test func `the last large reply is sent before the runner ends`() throws {
        let runner = try start()
        let client = try Conversation(dealer: runner.tcp)
        let rows = "with recursive n(i) as (select 1 union all select i+1 from n limit 150000)"
        let slow = "select i, printf('%060d', i), (select sum(n.i) from n) from n"
        let job = #"{"sql":"\#(rows) \#(slow)","wait_ms":60000,"timeout_ms":60000}"#
        try client.say("job.submit", job)
        let other = try Conversation(runner.ipc)
        _ = try eventually("it runs") {
            try other.ask("sys.stats")["counts"]?["running"] == 1 ? true : nil
        }
        runner.process.signal(SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)
        let said = try client.hear()
        #expect(said.code == "200", "\(said.head)")
        let bytes = try #require(said.text?.utf8.count)
        #expect(bytes > 10_000_000)
        #expect(said.head["total_bytes"]?.integerValue == Int64(bytes))
    }

    @Test func `new jobs are refused while it drains, and questions answered`() throws {
        let runner = try start()
        let client = try Conversation(runner.ipc)
        let running = try client.submit(#"{"kernel":"sleep","input":{"ms":700}}"#)
        try client.waitUntilRunning(running)
        runner.process.signal(SIGTERM)
        let refused = try eventually("jobs are refused") { () -> Said? in
            let said = try client.ask(
                "job.submit",
                #"{"kernel":"echo","input":1,"delay_ms":99999}"#
            )
            return said.code == "200" ? nil : said
        }
        #expect(refused.code == "503")
        #expect(refused.errorCode == "draining")
        #expect(try client.ask("sys.ping").code == "200")
        #expect(try client.show(running).state == "running")
        #expect(try runner.process.waitForEnd() == 0)
    }

    @Test(arguments: [
        #"{"kernel":"sleep","input":{"ms":600000}}"#,
        #"{"sql":"with recursive n(i) as (select 1 union all select i+1 from n) select max(i) from n"}"#,
    ])
    func `a job longer than the drain is put back uncounted`(job: String) throws {
        let runner = try start(drainMs: 100)
        let client = try Conversation(runner.ipc)
        let id = try client.submit(job)
        try client.waitUntilRunning(id)
        runner.process.signal(SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)

        try runner.restart()
        let again = try Conversation(runner.ipc)
        try again.waitUntilRunning(id)
        let shown = try again.show(id)
        #expect(shown["attempts"] == [], "\(shown.head)")
        #expect(try again.ask("job.cancel", #"{"id":\#(id)}"#)["count"] == 1)
        #expect(try again.result(id).state == "cancelled")
    }

    @Test func `a second signal stops at once, and the job is put back`() throws {
        let runner = try start(drainMs: 600_000)
        let client = try Conversation(runner.ipc)
        let id = try client.submit(#"{"kernel":"sleep","input":{"ms":600000}}"#)
        try client.waitUntilRunning(id)
        runner.process.signal(SIGTERM)
        _ = try eventually("it drains") {
            try client.ask("job.submit", #"{"sql":""#).code == "400" ? true : nil
        }
        _ = try eventually("jobs are refused") {
            try client.ask("job.submit", #"{"sql":"select 1"}"#).code == "503" ? true : nil
        }
        runner.process.signal(SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)
        try runner.restart()
        let again = try Conversation(runner.ipc)
        try again.waitUntilRunning(id)
        #expect(try again.show(id)["attempts"] == [])
    }

    @Test func `a third signal ends even a runner whose job is deaf`() throws {
        let runner = try start(
            drainMs: 600_000,
            program: "millrace-test-runner",
            stuckMs: 3_600_000
        )
        let client = try Conversation(runner.ipc)
        let id = try client.submit(#"{"kernel":"deaf","input":{"ms":600000}}"#)
        try client.waitUntilRunning(id)
        for _ in 0..<2 {
            runner.process.signal(SIGTERM)
            _ = try eventually("the signal has arrived") {
                try client.ask("job.submit", #"{"sql":"select 1"}"#).code == "503" ? true : nil
            }
        }
        let worker = try runner.worker()
        _ = try eventually("it ends") { () -> Bool? in
            runner.process.signal(SIGTERM)
            return kill(worker, 0) == 0 ? nil : true
        }
        #expect(try runner.process.waitForEnd() == 0)
        try runner.restart()
        let again = try Conversation(runner.ipc)
        let shown = try again.show(id)
        #expect(shown.state != "failed")
        #expect(shown["attempts"] == [], "\(shown.head)")
    }

    @Test func `an interrupt from the terminal stops like a stop`() throws {
        let runner = try start()
        runner.process.signal(SIGINT)
        #expect(try runner.process.waitForEnd() == 0)
    }

    @Test(arguments: [true, false])
    func `a second runner on one state directory stops and harms nobody`(supervised: Bool) throws {
        var options = RunnerProcess.Options()
        options.supervised = supervised
        let runner = try RunnerProcess(options)
        let client = try Conversation(runner.ipc)
        let before = try client.submit(#"{"kernel":"echo","input":1}"#)
        let rival = try runner.rival()
        #expect(try rival.waitForEnd() == 73)
        #expect(rival.errors.contains("Another runner uses the state directory"))
        #expect(rival.errors.contains(runner.state))
        #expect(rival.output == "")
        // Over a connection made after the rival's end: its socket must be the first one's still.
        let late = try Conversation(runner.ipc)
        #expect(try late.result(before).text == "1")
        #expect(try late.run == 1)
    }

    @Test func `an endpoint that somebody has is said, and the runner does not start`() throws {
        let runner = try start()
        let directory = try TemporaryDirectory()
        let other = try ChildProcess(
            RunnerProcess.built("millrace"),
            ["serve", "--no-supervise", "--state", directory.path + "/s", "--listen", runner.tcp],
            environment: RunnerProcess.environment,
            directory: directory.path
        )
        #expect(try other.waitForEnd() != 0)
        #expect(other.errors.contains("Cannot listen on \(runner.tcp)"), "\(other.errors)")
    }
}
