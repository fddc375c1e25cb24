import Foundation
import JobTesting
import JobWire
import Testing

/// The parent that starts the runner again: what it goes on after, and what it inherits.
@Suite struct SupervisorTests {
    private func start(wrapper: [String] = []) throws -> RunnerProcess {
        var options = RunnerProcess.Options()
        options.wrapper = wrapper
        return try RunnerProcess(options)
    }

    private func isServing(_ runner: RunnerProcess) throws {
        let client = try Conversation(runner.ipc)
        #expect(try client.result(client.submit(#"{"kernel":"echo","input":1}"#)).text == "1")
    }

    /// How often it has said that it will start the runner again, for this reason.
    private func restarts(of runner: RunnerProcess, because reason: String) -> Int {
        runner.process.errors.split(separator: "\n").count {
            $0.contains("is started again") && $0.contains(reason)
        }
    }

    /// Pauses grow: more than so many tries do not fit into a test's patience.
    private static let mostTries = 20

    @Test func `a runner that was ready is started again until its store can be opened`() throws {
        let runner = try start()
        let store = runner.state + "/millrace.db"
        rename(store, store + ".away")
        mkdir(store, 0o700)
        kill(try runner.worker(), SIGKILL)
        try eventually("it is tried: \(runner.process.errors)") { () -> Void? in
            restarts(of: runner, because: "exit code") >= 3 ? () : nil
        }
        #expect(restarts(of: runner, because: "exit code") < Self.mostTries)
        #expect(runner.readyCount == 1)
        rmdir(store)
        rename(store + ".away", store)
        try runner.waitUntilReady(times: 2)
        try isServing(runner)
    }

    @Test func `a runner that was ready is tried again when no process can be made`() throws {
        let runner = try start()
        // The descriptor that the child is to find the lock under cannot be had.
        try limitDescriptors(of: runner.process.pid, to: "9")
        kill(try runner.worker(), SIGKILL)
        try eventually("it is tried: \(runner.process.errors)") { () -> Void? in
            restarts(of: runner, because: "Cannot start the runner") >= 3 ? () : nil
        }
        #expect(restarts(of: runner, because: "Cannot start") < Self.mostTries)
        try limitDescriptors(of: runner.process.pid, to: "1024")
        try runner.waitUntilReady(times: 2)
        try isServing(runner)
        runner.process.signal(SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)
    }

    @Test func `a stop is heard while no process can be made`() throws {
        let runner = try start()
        try limitDescriptors(of: runner.process.pid, to: "9")
        kill(try runner.worker(), SIGKILL)
        try eventually("it is tried: \(runner.process.errors)") { () -> Void? in
            restarts(of: runner, because: "Cannot start the runner") >= 1 ? () : nil
        }
        runner.process.signal(SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)
    }

    @Test func `where no process can be made at first, the reason is said and that is all`() throws
    {
        let directory = try TemporaryDirectory()
        let few = try ChildProcess(
            "/bin/sh",
            [
                "-c", "ulimit -n 9; exec \"$@\"", "sh", RunnerProcess.built("millrace"), "serve",
                "--state", directory.path + "/state", "--spool", directory.path + "/jobs",
            ],
            environment: RunnerProcess.environment,
            directory: directory.path
        )
        #expect(try few.waitForEnd() == 71)
        #expect(few.errors.contains("Cannot start the runner: Bad file descriptor."))
        #expect(!few.errors.contains("started again"))
    }

    private func limitDescriptors(of process: pid_t, to count: String) throws {
        let directory = try TemporaryDirectory()
        let limit = try ChildProcess(
            "/usr/bin/prlimit",
            ["--pid", "\(process)", "--nofile=\(count):"],
            environment: [:],
            directory: directory.path
        )
        try #require(try limit.waitForEnd() == 0, "\(limit.errors)")
    }

    // MARK: What it inherits

    @Test func `whoever ignored the end of children may start it`() throws {
        let runner = try start(wrapper: ["/usr/bin/env", "--ignore-signal=CHLD"])
        kill(try runner.worker(), SIGKILL)
        try runner.waitUntilReady(times: 2)
        try isServing(runner)
        runner.process.signal(SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)
    }

    @Test func `under nohup a hang-up changes nothing`() throws {
        let runner = try start(wrapper: ["/usr/bin/env", "--ignore-signal=HUP"])
        let worker = try runner.worker()
        runner.process.signal(SIGHUP)
        kill(worker, SIGHUP)
        try isServing(runner)
        #expect(try runner.worker() == worker)
        // The supervisor would take the hang-up first, and stop.
        kill(worker, SIGKILL)
        try runner.waitUntilReady(times: 2)
        try isServing(runner)
    }

    @Test func `otherwise a hang-up stops like a stop`() throws {
        let runner = try start()
        runner.process.signal(SIGHUP)
        #expect(try runner.process.waitForEnd() == 0)
        #expect(runner.readyCount == 1)
    }

    @Test func `the runner inherits nobody's signals, but for nohup`() throws {
        let signals = "CHLD,HUP,USR1,USR2,ALRM,QUIT,TSTP"
        let runner = try start(
            wrapper: ["/usr/bin/env", "--ignore-signal=\(signals)", "--block-signal=\(signals)"]
        )
        let worker = try runner.worker()
        let reset: Set = [SIGCHLD, SIGUSR1, SIGUSR2, SIGALRM, SIGQUIT, SIGTSTP]
        let ignored = try signalSet("SigIgn", of: worker)
        #expect(ignored.isDisjoint(with: reset))
        #expect(ignored.contains(SIGHUP))
        // A thread that starts another one blocks them all for a moment.
        try eventually("no signal is blocked") { () -> Void? in
            try signalSet("SigBlk", of: worker).isDisjoint(with: reset) ? () : nil
        }
    }

    /// From proc(5).
    private func signalSet(_ name: String, of process: pid_t) throws -> Set<CInt> {
        let text = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(name + ":") })
        let mask = try #require(UInt64(line.split(separator: "\t").last ?? "", radix: 16))
        return Set((1...64).filter { mask >> UInt64($0 - 1) & 1 == 1 })
    }
}
