import Foundation
import JobTesting
import JobWire
import Testing

/// What happens to jobs when the process, or a thread of it, ends under them.
@Suite struct CrashTests {
    private func start(
        workers: Int = 2,
        stuckMs: Int = 10_000,
        drainMs: Int = 200
    ) throws -> RunnerProcess {
        var options = RunnerProcess.Options()
        options.program = "millrace-test-runner"
        options.workers = workers
        // With one worker tests count its threads.
        options.settings = [
            "STUCK_MS": "\(stuckMs)", "DRAIN_MS": "\(drainMs)", "EXPRESS": "\(workers > 1)",
        ]
        return try RunnerProcess(options)
    }

    @Test func `the supervisor starts a killed runner again and its jobs go on`() throws {
        let runner = try start()
        let client = try Conversation(runner.ipc)
        let running = try client.submit(#"{"kernel":"sleep","input":{"ms":300}}"#)
        let waiting = try client.submit(#"{"kernel":"echo","input":1,"delay_ms":200}"#)
        try client.waitUntilRunning(running)
        let first = try runner.worker()
        kill(first, SIGKILL)
        try runner.waitUntilReady(times: 2)

        let again = try Conversation(runner.tcp)
        #expect(try again.result(running).text == #"{"slept_ms":300}"#)
        let shown = try again.show(running)
        #expect(shown["attempt"] == 2)
        #expect(shown["attempts"]?.arrayValue?.map { $0["error"]?["code"] } == ["lost"])
        #expect(try again.result(waiting).text == "1")
        #expect(try again.run == 2)
        #expect(try runner.worker() != first)
    }

    @Test func `the runner dies with its supervisor, and a new one works at once`() throws {
        let runner = try start()
        let client = try Conversation(runner.ipc)
        let running = try client.submit(#"{"kernel":"sleep","input":{"ms":300}}"#)
        try client.waitUntilRunning(running)
        try runner.killAll()
        try runner.restart()
        let again = try Conversation(runner.ipc)
        #expect(try again.result(running).state == "succeeded")
        #expect(try again.result(again.submit(#"{"sql":"select 1"}"#)).state == "succeeded")
    }

    @Test(arguments: ["trap", "exit"])
    func `what ends the process three times is poisoned, and nobody else is`(kernel: String) throws
    {
        let runner = try start()
        let client = try Conversation(runner.ipc)
        let beside = try client.submit(#"{"kernel":"sleep","input":{"ms":1500}}"#)
        try client.waitUntilRunning(beside)
        let guilty = try client.submit(#"{"kernel":"\#(kernel)","input":1,"delay_ms":100}"#)
        let waiting = try client.submit(#"{"kernel":"echo","input":1,"delay_ms":100}"#)
        try runner.waitUntilReady(times: 4)

        let again = try Conversation(runner.ipc)
        let said = try again.result(guilty)
        #expect(said.state == "failed")
        #expect(said.errorCode == "poisoned")
        let attempts = try again.show(guilty)["attempts"]?.arrayValue ?? []
        #expect(attempts.count == 3, "\(attempts)")
        #expect(try again.result(beside).text == #"{"slept_ms":1500}"#)
        #expect(try again.result(waiting).text == "1")
        #expect(try again.run == 4, "It crashed three times and no more.")
    }

    @Test func `a crash is blamed on the job that crashed alone`() throws {
        let runner = try start(workers: 3)
        let client = try Conversation(runner.ipc)
        let beside = try (0..<2).map { _ in
            try client.submit(#"{"kernel":"sleep","input":{"ms":600000}}"#)
        }
        for id in beside { try client.waitUntilRunning(id) }
        let guilty = try client.submit(#"{"kernel":"trap","input":1,"delay_ms":100}"#)
        try runner.waitUntilReady(times: 4)
        let again = try Conversation(runner.ipc)
        #expect(try again.result(guilty).errorCode == "poisoned")
        for id in beside {
            try again.waitUntilRunning(id)
            #expect(try again.ask("job.cancel", #"{"id":\#(id)}"#)["count"] == 1)
        }
    }

    /// Submits a job that ends the process, and whose like are known to be over soon: nobody need
    /// write it before it runs. Its submitter waits, and will hear nothing.
    private func submitTrap(to runner: RunnerProcess) throws -> Conversation {
        let client = try Conversation(runner.ipc)
        for _ in 0..<100 {
            let harmless = #"{"kernel":"trap","input":false,"wait_ms":60000}"#
            #expect(try client.ask("job.submit", harmless).text == "false")
        }
        try client.say("job.submit", #"{"kernel":"trap","input":1,"wait_ms":60000}"#)
        return client
    }

    @Test func `what ends the process unwritten and is sent again is poisoned after three more`()
        throws
    {
        var clients: [Conversation] = []
        // A job whose like were held up is written first after all, and found to be lost.
        let runner = try eventually("a job ends the process unwritten", within: .seconds(120)) {
            () -> RunnerProcess? in
            let runner = try start()
            clients.append(try submitTrap(to: runner))
            try runner.waitUntilReady(times: 2)
            let log = runner.process.errors.split(separator: "\n")
            let second = log.first { $0.contains("Run 2 begins.") }
            return second?.contains("lost=0") == true ? runner : nil
        }
        clients.append(try submitTrap(to: runner))
        try runner.waitUntilReady(times: 5)
        let again = try Conversation(runner.ipc)
        let failed = try again.ask("job.list", #"{"state":"failed"}"#)["jobs"]?.arrayValue ?? []
        #expect(failed.map { $0["error"]?["code"] } == ["poisoned"])
        #expect(try again.run == 5)
    }

    @Test func `a crash of a thread that runs no job is blamed on none`() throws {
        let runner = try start()
        let id = try Conversation(runner.ipc)
            .submit(#"{"kernel":"sleep","input":{"ms":600000}}"#)
        for starts in 2...4 {
            try Conversation(runner.ipc).waitUntilRunning(id)
            // Sent to a process it is its first thread's: the broker's.
            kill(try runner.worker(), SIGABRT)
            try runner.waitUntilReady(times: starts)
        }
        let client = try Conversation(runner.ipc)
        try client.waitUntilRunning(id)
        #expect(try client.show(id)["attempts"]?.arrayValue?.isEmpty == true)
        #expect(try client.ask("job.cancel", #"{"id":\#(id)}"#)["count"] == 1)
    }

    @Test func `a poisoned job can be retried and is judged anew`() throws {
        let runner = try start()
        let client = try Conversation(runner.ipc)
        let guilty = try client.submit(#"{"kernel":"trap","input":1,"delay_ms":100}"#)
        try runner.waitUntilReady(times: 4)
        let again = try Conversation(runner.ipc)
        #expect(try again.result(guilty).errorCode == "poisoned")
        // The answer may not get out before the job runs, and the process ends.
        try again.say("job.retry", #"{"id":\#(guilty)}"#)
        try runner.waitUntilReady(times: 7)
        let third = try Conversation(runner.ipc)
        #expect(try third.result(guilty).errorCode == "poisoned")
        #expect(try third.show(guilty)["attempt"] == 6)
    }

    @Test func `a worker whose thread ends is replaced and its job is tried again`() throws {
        let runner = try start(workers: 1)
        let client = try Conversation(runner.ipc)
        let id = try client.submit(
            #"{"kernel":"end-thread","input":{"once":"\#(runner.directory.path)/ended"}}"#
        )
        let said = try client.result(id)
        #expect(said.text == "true")
        #expect(said["attempt"] == 2)
        let attempts = try client.show(id)["attempts"]?.arrayValue
        #expect(attempts?.map { $0["error"]?["code"] } == ["lost"])
        #expect(try client.run == 1, "The process went on.")
        #expect(try client.result(client.submit(#"{"kernel":"echo","input":1}"#)).text == "1")
        #expect(try client.ask("sys.stats")["workers"]?.arrayValue?.count == 1)
    }

    @Test func `a job that ends every thread is poisoned and the runner goes on`() throws {
        let runner = try start(workers: 1)
        let client = try Conversation(runner.ipc)
        let id = try client.submit(#"{"kernel":"end-thread","input":{}}"#)
        let said = try client.result(id)
        #expect(said.errorCode == "poisoned")
        #expect(try client.run == 1)
        #expect(try client.result(client.submit(#"{"kernel":"echo","input":1}"#)).text == "1")
    }

    @Test func `a deaf job's workers are given up and replaced, and late reports are fenced`()
        throws
    {
        let runner = try start(workers: 3, stuckMs: 150)
        let client = try Conversation(runner.ipc)
        let id = try client.submit(#"{"kernel":"deaf","input":{"ms":1500},"timeout_ms":100}"#)
        let said = try client.result(id)
        #expect(said.errorCode == "poisoned")
        let attempts = try client.show(id)["attempts"]?.arrayValue ?? []
        #expect(attempts.map { $0["error"]?["code"] } == ["lost", "lost", "lost"])
        // Three workers at once: all three were replaced. Meanwhile the old ones report "late".
        let jobs = Array(repeating: #"{"kernel":"sleep","input":{"ms":2000}}"#, count: 3)
        let ids = try client.ask("job.submit", #"{"jobs":[\#(jobs.joined(separator: ","))]}"#).ids
        for id in ids { try client.waitUntilRunning(id) }
        for id in ids { #expect(try client.result(id).state == "succeeded") }
        #expect(try client.result(id).errorCode == "poisoned")
        let counts = try client.ask("sys.stats")["counts"]
        #expect(counts?["failed"] == 1 && counts?["succeeded"] == 3)
        #expect(try client.run == 1)
    }

    @Test func `a cancelled job that is deaf ends for its client at once`() throws {
        let runner = try start(workers: 1, stuckMs: 200)
        let client = try Conversation(runner.ipc)
        let id = try client.submit(#"{"kernel":"deaf","input":{"ms":60000}}"#)
        try client.waitUntilRunning(id)
        #expect(try client.ask("job.cancel", #"{"id":\#(id)}"#)["count"] == 1)
        #expect(try client.result(id).state == "cancelled")
        #expect(try client.result(client.submit(#"{"kernel":"echo","input":1}"#)).text == "1")
    }

    @Test func `with more threads given up than workers the process starts afresh`() throws {
        let runner = try start(workers: 1, stuckMs: 100)
        let client = try Conversation(runner.ipc)
        for _ in 0..<2 {
            let id = try client.submit(#"{"kernel":"deaf","input":{"ms":600000}}"#)
            try client.waitUntilRunning(id)
            _ = try client.ask("job.cancel", #"{"id":\#(id)}"#)
        }
        try runner.waitUntilReady(times: 2)
        let again = try Conversation(runner.ipc)
        #expect(try again.run == 2)
        #expect(try again.result(again.submit(#"{"kernel":"echo","input":1}"#)).text == "1")
    }

    @Test func `what waits outlives a new process that deaf jobs brought about`() throws {
        let runner = try start(workers: 2, stuckMs: 100)
        let client = try Conversation(runner.ipc)
        let first = try runner.worker()
        let jobs = Array(repeating: #"{"kernel":"echo","input":1,"delay_ms":1500}"#, count: 20)
        let ids = try client.ask("job.submit", #"{"jobs":[\#(jobs.joined(separator: ","))]}"#).ids
        for _ in 0..<3 {
            let id = try client.submit(#"{"kernel":"deaf","input":{"ms":600000}}"#)
            try client.waitUntilRunning(id)
            _ = try client.ask("job.cancel", #"{"id":\#(id)}"#)
        }
        try runner.waitUntilReady(times: 2)
        #expect(try runner.worker() != first)
        let again = try Conversation(runner.ipc)
        for id in ids {
            #expect(try again.result(id).text == "1")
            #expect(try again.show(id)["attempts"]?.arrayValue?.count ?? 0 <= 1)
        }
        #expect(try again.run == 2)
    }

    @Test func `a thread that was given up ends when it comes back, and counts no more`() throws {
        let runner = try start(workers: 1, stuckMs: 100)
        let client = try Conversation(runner.ipc)
        // More than would bring a new process, were they out together.
        for _ in 0..<3 {
            let id = try client.submit(#"{"kernel":"deaf","input":{"ms":600}}"#)
            try client.waitUntilRunning(id)
            _ = try client.ask("job.cancel", #"{"id":\#(id)}"#)
            _ = try eventually("it is given up") { try threads(of: runner) == 2 ? true : nil }
            _ = try eventually("it ends") { try threads(of: runner) == 1 ? true : nil }
            let alarms = try eventually("the alarm ends") { () -> [JSON]? in
                let alarms = try client.ask("sys.stats")["alarms"]?.arrayValue ?? []
                return alarms.isEmpty ? alarms : nil
            }
            #expect(alarms.isEmpty)
        }
        #expect(try client.run == 1)
    }

    /// Threads of workers, by the names they have.
    private func threads(of runner: RunnerProcess) throws -> Int {
        let path = "/proc/\(try runner.worker())/task"
        return try FileManager.default.contentsOfDirectory(atPath: path).count { thread in
            let name = try? String(contentsOfFile: "\(path)/\(thread)/comm", encoding: .utf8)
            return name?.hasPrefix("worker-") == true
        }
    }

    @Test func `a kill of the operator's poisons nobody, however often`() throws {
        let runner = try start(workers: 1)
        var client = try Conversation(runner.ipc)
        let id = try client.submit(#"{"kernel":"sleep","input":{"ms":600000}}"#)
        for _ in 0..<4 {
            try client.waitUntilRunning(id)
            runner.process.signal(SIGTERM)
            #expect(try runner.process.waitForEnd() == 0)
            try runner.restart()
            client = try Conversation(runner.ipc)
        }
        try client.waitUntilRunning(id)
    }

    @Test func `a store that is no store is refused with a sentence and left alone`() throws {
        let runner = try RunnerProcess()
        runner.process.signal(SIGTERM)
        try runner.process.waitForEnd()
        let path = runner.state + "/millrace.db"
        for suffix in ["-wal", "-shm"] { unlink(path + suffix) }
        let diary = "This is not a database, but somebody's diary.\n"
        try diary.write(toFile: path, atomically: false, encoding: .utf8)
        let other = try runner.rival()
        #expect(try other.waitForEnd() != 0)
        #expect(other.errors.contains("millrace.db is not a job store"), "\(other.errors)")
        #expect(other.output == "")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == diary)
    }

    @Test func `a job that ends the process while it drains does not bring the runner back`() throws
    {
        let runner = try start(workers: 1, drainMs: 30_000)
        let client = try Conversation(runner.ipc)
        let id = try client.submit(#"{"kernel":"exit","input":{"after_ms":600}}"#)
        try client.waitUntilRunning(id)
        runner.process.signal(SIGTERM)
        try runner.process.waitForEnd()
        #expect(runner.readyCount == 1)
    }
}
