import Foundation
import Glibc
import JobTesting
import JobWire
import Testing

/// `millrace events` and `millrace top`, as people and programs use them.
@Suite struct WatchingTests {
    private let runner: RunnerProcess
    private let client: Conversation

    init() throws {
        runner = try RunnerProcess()
        client = try Conversation(runner.ipc)
    }

    private func start(_ arguments: [String]) throws -> ChildProcess {
        let process = try Command.start(arguments, state: runner.state, in: runner.directory.path)
        guard arguments.first == "events" else { return process }
        _ = try eventually("it listens: \(process.errors)") {
            try client.ask("sys.stats")["events"]?["subscriptions"]?.integerValue ?? 0 > 0
                ? true : nil
        }
        return process
    }

    // MARK: Events

    @Test func `the first event that is asked for is printed, and no other`() throws {
        let process = try start(["events", "failed", "--timeout", "1m"])
        _ = try client.result(client.submit(#"{"sql":"select 1"}"#))
        let id = try client.submit(#"{"sql":"selec 1"}"#)
        #expect(try process.waitForEnd() == 0)
        let cells = process.output.dropLast().split(
            separator: "\t",
            omittingEmptySubsequences: false
        )
        #expect(process.output.filter { $0 == "\n" }.count == 1)
        #expect(cells.dropFirst() == ["job \(id)", "failed", "attempt 1: sql_error"])
    }

    @Test func `events are followed as JSON, an object a line`() throws {
        let process = try start(["events", "--follow", "--json", "queue"])
        try client.ask("queue.pause", #"{"queue":"default"}"#)
        try client.ask("queue.resume", #"{"queue":"default"}"#)
        let lines = try eventually("both are printed") {
            let lines = process.output.split(separator: "\n")
            return lines.count == 2 ? lines : nil
        }
        let events = try lines.map { try JSON(parsing: Array($0.utf8)) }
        #expect(events.map { $0["topic"] } == ["queue.default.paused", "queue.default.resumed"])
        #expect(events.map { $0["paused"] } == [true, false])
        #expect(!process.hasEnded)
    }

    @Test func `who waits in vain for an event is told by the exit code`() throws {
        let said = try runner.command("events", "42", "--timeout", "50ms")
        #expect(said.code == 5)
        #expect(said.output == "")
    }

    // MARK: The live view

    @Test func `without a terminal the view is printed once`() throws {
        let id = try client.submit(#"{"kernel":"sleep","input":{"ms":600000},"name":"nap"}"#)
        try client.waitUntilRunning(id)
        let bad = try client.submit(#"{"sql":"selec 1"}"#)
        _ = try client.result(bad)
        let said = try runner.command("top")
        #expect(said.code == 0)
        let lines = said.output.split(separator: "\n")
        #expect(lines.first?.hasPrefix("millrace \(version), run 1, started ") == true)
        #expect(lines.first?.hasSuffix(", 1 of 2 workers busy") == true)
        #expect(lines.contains { $0.contains("  \(id)") && $0.hasSuffix("nap") }, "\(said.output)")
        #expect(lines.contains { $0.contains("  \(bad)") && $0.contains("sql_error") })
        #expect(!said.output.contains("\u{1B}"))
    }

    private let version = Program.version

    /// What became of a program that somebody used at a terminal.
    private func atTerminal(_ script: String, _ arguments: String...) throws -> JSON {
        let program = RunnerProcess.built("millrace")
        let words = ["100", "30", script, program] + arguments
        let said = try ForeignClient("terminal_client.py").run(
            words + ["--connect", runner.ipc],
            in: runner
        )
        return try JSON(parsing: Array(said.utf8))
    }

    @Test func `the view ends by a key and leaves the terminal as it was`() throws {
        let found = try atTerminal(#"["q quit", {"press": "q"}]"#, "top")
        #expect(found["code"] == 0)
        #expect(found["restored"] == true)
        let drawn = found["drawn"]?.stringValue ?? ""
        #expect(drawn.hasPrefix("\u{1B}[?1049h\u{1B}[?25l"))
        #expect(drawn.hasSuffix("\u{1B}[?25h\u{1B}[?1049l"))
    }

    @Test(arguments: [SIGTERM, SIGHUP])
    func `a signal ends it likewise`(signal: CInt) throws {
        let found = try atTerminal(#"["q quit", {"signal": \#(signal)}]"#, "top")
        #expect(found["code"] == 0)
        #expect(found["restored"] == true)
        #expect(found["drawn"]?.stringValue?.hasSuffix("\u{1B}[?25h\u{1B}[?1049l") == true)
    }

    @Test func `keys pause and resume a queue and cancel and retry a job`() throws {
        let id = try client.submit(#"{"kernel":"sleep","input":{"ms":600000}}"#)
        try client.waitUntilRunning(id)
        let bad = try client.submit(#"{"sql":"selec 1"}"#)
        _ = try client.result(bad)
        let script = #"""
            ["q quit", {"press": "p"}, "Choose a queue", {"press": "j"}, "> default",
             {"press": "p"}, "is paused.", {"press": "r"}, "is resumed.",
             {"press": "\u001b[B"}, "> ", {"press": "c"}, "Cancel job \#(id)? Press y.",
             {"press": "y"}, "is called off.", {"press": "\u001b[A"}, {"press": "jj"},
             {"press": "t"}, "runs again.", {"press": "\u0003"}]
            """#
        let found = try atTerminal(script, "top", "--every", "200ms")
        #expect(found["code"] == 0, "\(found)")
        #expect(try client.result(id).state == "cancelled")
        #expect(try client.ask("queue.list")["queues"]?.arrayValue?.first?["paused"] == false)
        let again = try client.waitUntil(bad) { $0["attempts"]?.arrayValue?.count == 2 }
        #expect(again.state == "failed")
    }

    // MARK: Waiting

    @Test func `who waits at a terminal sees how far the job is`() throws {
        let id = try client.submit(#"{"kernel":"count","input":{"to":1000000000000}}"#)
        let script = #"["of 1000000000000 (", " %) of job \#(id)", {"signal": \#(SIGKILL)}]"#
        let found = try atTerminal(script, "wait", "\(id)")
        #expect(found["drawn"]?.stringValue?.contains("[") == true)
        try client.ask("job.cancel", #"{"id":\#(id)}"#)
        let done = try client.submit(#"{"kernel":"sleep","input":{"ms":5000}}"#)
        let waited = try atTerminal(#"["job \#(done): "]"#, "result", "\(done)", "--wait", "1m")
        #expect(waited["code"] == 0)
        #expect(waited["drawn"]?.stringValue?.contains(#"{"slept_ms":5000}"#) == true)
    }
}
