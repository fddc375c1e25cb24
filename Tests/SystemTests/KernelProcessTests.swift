import Foundation
import Glibc
import JobTesting
import JobWire
import Testing

/// Workers that compute in processes of their own: what a kernel does there costs its job attempts,
/// and nobody else anything.
@Suite struct KernelProcessTests {
    private let runner: RunnerProcess
    private let client: Conversation
    private let process: pid_t

    init() throws {
        var options = RunnerProcess.Options()
        options.program = "millrace-test-runner"
        options.settings = [
            "KERNEL_PROCESSES": "true", "KERNEL_MEMORY_BYTES": "1073741824", "STUCK_MS": "400",
            "DRAIN_MS": "200",
        ]
        runner = try RunnerProcess(options)
        client = try Conversation(runner.ipc)
        process = try runner.worker()
    }

    private func expectSameProcess() throws {
        #expect(try client.run == 1)
        #expect(try runner.worker() == process)
        #expect(runner.readyCount == 1)
    }

    private var children: [pid_t] { get throws { try JobTesting.children(of: process) } }

    @Test func `kernels compute, divide and put together there as on threads`() throws {
        let said = try client.result(client.submit(#"{"kernel":"echo","input":{"a":[1,"é"]}}"#))
        #expect(said.text == #"{"a":[1,"é"]}"#)
        let primes = try client.submit(#"{"kernel":"primes","input":{"below":100000},"parts":4}"#)
        #expect(try client.result(primes).text?.contains(#""count":9592"#) == true)
        let bytes = [UInt8](repeating: 7, count: 3 << 20)
        let digest = try client.submit(
            #"{"kernel":"digest","input":{"bytes":{"$frame":2}}}"#,
            frames: [bytes]
        )
        #expect(try client.result(digest).state == "succeeded")
        let wrong = try client.result(client.submit(#"{"kernel":"primes","input":{"belov":1}}"#))
        #expect(wrong.errorCode == "kernel_error")
        #expect(wrong["attempt"] == 1)
        #expect(try client.result(client.submit(#"{"sql":"select 1"}"#)).state == "succeeded")
        #expect(try !children.isEmpty)
        try expectSameProcess()
    }

    @Test(arguments: ["trap", "exit", "end-thread", "deep", "greedy"])
    func `what ends its process three times is poisoned, and nobody else notices`(
        kernel: String
    ) throws {
        let beside = try client.submit(#"{"kernel":"sleep","input":{"ms":1500}}"#)
        try client.waitUntilRunning(beside)
        let guilty = try client.submit(#"{"kernel":"\#(kernel)","input":{}}"#)
        let said = try client.result(guilty)
        #expect(said.errorCode == "poisoned", "\(said.head)")
        let attempts = try client.show(guilty)["attempts"]?.arrayValue ?? []
        #expect(attempts.map { $0["error"]?["code"] } == ["lost", "lost", "lost"], "\(attempts)")
        #expect(try client.result(beside).text == #"{"slept_ms":1500}"#)
        #expect(try client.show(beside)["attempts"]?.arrayValue?.count ?? 0 <= 1)
        #expect(try client.show(beside)["attempt"] == 1)
        #expect(try client.result(client.submit(#"{"kernel":"echo","input":1}"#)).text == "1")
        try expectSameProcess()
    }

    @Test func `a deaf kernel is killed after its time, and no thread is given up`() throws {
        for _ in 0..<4 {
            let id = try client.submit(
                #"{"kernel":"deaf","input":{"ms":600000},"timeout_ms":100,"max_attempts":1}"#
            )
            #expect(try client.result(id).errorCode == "timeout")
        }
        for _ in 0..<4 {
            let id = try client.submit(#"{"kernel":"deaf","input":{"ms":600000}}"#)
            try client.waitUntilRunning(id)
            #expect(try client.ask("job.cancel", #"{"id":\#(id)}"#)["count"] == 1)
            #expect(try client.result(id).state == "cancelled")
        }
        try expectSameProcess()
    }

    @Test func `a cancel is heard there, and the process goes on`() throws {
        let id = try client.submit(#"{"kernel":"sleep","input":{"ms":600000}}"#)
        try client.waitUntilRunning(id)
        let before = try children
        // As systemd does it, to all of a service at once.
        for child in before { kill(child, SIGTERM) }
        #expect(try client.ask("job.cancel", #"{"id":\#(id)}"#)["count"] == 1)
        #expect(try client.result(id).state == "cancelled")
        #expect(try client.result(client.submit(#"{"kernel":"echo","input":1}"#)).text == "1")
        #expect(try Set(before).isSubset(of: children))
        try expectSameProcess()
    }

    @Test func `a stop while the order is on its way does not get into the order`() throws {
        // Ends in zeros, as every tar does, and as many as a word of the channel has.
        let bytes = [UInt8](repeating: 1, count: 4 << 20) + [0, 0, 0, 0]
        for round in 0..<20 {
            let id = try client.submit(
                #"{"kernel":"echo","input":{"$frame":2},"timeout_ms":\#(1 + round % 5)}"#,
                frames: [bytes]
            )
            let said = try client.result(id)
            let isRight = said.state == "succeeded" && said.frames.first == bytes
            #expect(isRight || said.errorCode == "timeout", "\(said.head)")
        }
        #expect(try client.result(client.submit(#"{"kernel":"echo","input":1}"#)).text == "1")
        try expectSameProcess()
    }

    @Test func `a process that cannot be started is no fault of the job`() throws {
        // The runner keeps what it has open, this connection too, and gets nothing new.
        try client.ask("sys.ping")
        try limitDescriptors(to: 16)
        let id = try client.submit(#"{"kernel":"echo","input":1,"max_attempts":1}"#)
        try eventually("the log says so") { () -> Void? in
            runner.process.errors.contains("A process for kernels") ? () : nil
        }
        try limitDescriptors(to: 1_024)
        let said = try client.result(id)
        #expect(said.text == "1", "\(said.head)")
        try expectSameProcess()
    }

    private func limitDescriptors(to count: Int) throws {
        let child = try ChildProcess(
            "/usr/bin/prlimit",
            ["--pid", "\(process)", "--nofile=\(count):"],
            environment: RunnerProcess.environment,
            directory: runner.directory.path
        )
        try #require(try child.waitForEnd() == 0, "\(child.errors)")
    }

    @Test func `a process that has nothing to do sleeps`() throws {
        _ = try client.result(client.submit(#"{"kernel":"echo","input":1}"#))
        let before = try wakes
        #expect(!before.isEmpty)
        let numbers = "with recursive n(i) as (select 1 union all select i+1 from n limit 2000000)"
        _ = try client.result(client.submit(#"{"sql":"\#(numbers) select sum(i) from n"}"#))
        for (child, count) in try wakes {
            #expect(count - (before[child] ?? count) < 10, "\(child)")
        }
    }

    @Test func `a worker sleeps while its process computes`() throws {
        _ = try client.result(client.submit(#"{"kernel":"echo","input":1}"#))
        let before = try wakes(of: process, threads: "worker-")
        _ = try client.result(client.submit(#"{"kernel":"sleep","input":{"ms":1000}}"#))
        #expect(try wakes(of: process, threads: "worker-") - before < 50)
    }

    /// Of each process for kernels.
    private var wakes: [pid_t: Int] {
        get throws {
            let found = try children.map { ($0, try wakes(of: $0)) }
            return Dictionary(found) { first, _ in first }
        }
    }

    /// How often the threads whose names begin so were put to sleep, which is how often they woke.
    private func wakes(of process: pid_t, threads name: String = "") throws -> Int {
        let threads = "/proc/\(process)/task"
        return try FileManager.default.contentsOfDirectory(atPath: threads).reduce(0) {
            sum,
            thread in
            let path = "\(threads)/\(thread)/status"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            guard text.hasPrefix("Name:\t" + name) else { return sum }
            let count = text.firstMatch(of: /\nvoluntary_ctxt_switches:\s*(\d+)/)
            return sum + (try Int(#require(count).1) ?? 0)
        }
    }

    @Test func `a process that ended while it had nothing to do costs no attempt`() throws {
        for _ in 0..<5 {
            let said = try client.result(client.submit(#"{"kernel":"echo","input":1}"#))
            #expect(said.text == "1")
            #expect(said["attempt"] == 1)
            for child in try children {
                kill(child, SIGKILL)
                // Gone but for its exit code: no thread of it is left but the first one's remains.
                try eventually("\(child) ends") { () -> Void? in
                    let threads = try? FileManager.default.contentsOfDirectory(
                        atPath: "/proc/\(child)/task"
                    )
                    let stat = try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8)
                    return threads?.count == 1 && stat?.contains(") Z ") == true ? () : nil
                }
            }
        }
        try expectSameProcess()
    }

    @Test func `a stop and a kill leave no process behind`() throws {
        let id = try client.submit(#"{"kernel":"deaf","input":{"ms":600000}}"#)
        try client.waitUntilRunning(id)
        let first = try children
        runner.process.signal(SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)
        for child in first { try runner.waitForEnd(of: child) }

        try runner.restart()
        let again = try Conversation(runner.ipc)
        try again.waitUntilRunning(id)
        #expect(try again.show(id)["attempts"] == [])
        let second = try JobTesting.children(of: runner.worker())
        #expect(!second.isEmpty)
        try runner.killAll()
        for child in second { try runner.waitForEnd(of: child) }
    }
}
