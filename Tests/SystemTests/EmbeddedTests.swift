import Foundation
import Glibc
import JobTesting
import JobWire
import Testing

/// A program that runs the runner and goes on after its end.
@Suite struct EmbeddedTests {
    @Test(arguments: [true, false])
    func `a runner that has ended leaves nothing behind, and can run again`(
        withProcesses: Bool
    ) throws {
        var options = RunnerProcess.Options()
        options.program = "millrace-test-runner"
        options.supervised = false
        options.settings = ["KERNEL_PROCESSES": "\(withProcesses)", "TEST_AGAIN": "1"]
        let runner = try RunnerProcess(options)
        let client = try Conversation(runner.ipc)
        #expect(try client.result(client.submit(#"{"kernel":"echo","input":1}"#)).text == "1")
        #expect(try children(of: runner.process.pid).isEmpty != withProcesses)

        runner.process.signal(SIGTERM)
        try eventually("it ends") { () -> Void? in
            runner.process.output.contains("The runner has ended.") ? () : nil
        }
        let threads = "/proc/\(runner.process.pid)/task"
        // A thread has done its last before it is gone.
        try eventually("one thread is left") { () -> Void? in
            try FileManager.default.contentsOfDirectory(atPath: threads).count == 1 ? () : nil
        }
        #expect(try children(of: runner.process.pid).isEmpty)
        let descriptors = "/proc/\(runner.process.pid)/fd"
        let left = try FileManager.default.contentsOfDirectory(atPath: descriptors).map {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(descriptors)/\($0)"))
                ?? ""
        }
        #expect(!left.contains { $0.contains("millrace.db") || $0.contains("eventfd") }, "\(left)")

        let job = runner.spool + "/a.sql"
        try Data("select 1".utf8).write(to: URL(filePath: runner.spool + "/.a.sql"))
        try #require(rename(runner.spool + "/.a.sql", job) == 0)
        runner.process.signal(SIGTERM)
        try runner.waitUntilReady(times: 2)
        let again = try Conversation(runner.ipc)
        #expect(try again.run == 2)
        try eventually("the file's job has run") { () -> Void? in
            access(runner.spool + "/results/a.sql.json", F_OK) == 0 ? () : nil
        }
        runner.process.signal(SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)
    }

    @Test(arguments: [false, true])
    func `a program that starts a runner within it keeps its signals, and starts it again`(
        withProcesses: Bool
    ) throws {
        var options = RunnerProcess.Options()
        options.program = "millrace-test-runner"
        options.supervised = false
        options.settings = ["KERNEL_PROCESSES": "\(withProcesses)", "TEST_EMBEDDED": "1"]
        let runner = try RunnerProcess(options)
        // Others can ask it as well.
        let client = try Conversation(runner.tcp)
        #expect(try client.result(client.submit(#"{"kernel":"echo","input":1}"#)).text == "1")

        runner.process.signal(SIGTERM)
        let stopped = "It has ended, and was stopped.\nNobody can ask it.\n"
        try waitUntil(runner, says: stopped, times: 1)
        try eventually("its threads are gone") { () -> Void? in
            let ours = ["broker", "worker", "reader", "writer", "parser", "intake", "ZMQbg"]
            return try threads(of: runner.process.pid).contains { name in
                ours.contains { name.hasPrefix($0) }
            } ? nil : ()
        }
        #expect(try children(of: runner.process.pid).isEmpty)

        runner.process.signal(SIGTERM)
        try runner.waitUntilReady(times: 2)
        #expect(try Conversation(runner.ipc).run == 2)
        runner.process.signal(SIGTERM)
        try waitUntil(runner, says: stopped, times: 2)
        runner.process.signal(SIGTERM)
        #expect(try runner.process.waitForEnd() == 0, "\(runner.process.output)")
        let once = [
            "There is one runner.", "succeeded: first", "millrace takes jobs at …",
            "succeeded: second", "It has ended, and was stopped.", "Nobody can ask it.",
        ]
        let said = runner.process.output.split(separator: "\n").map {
            $0.hasPrefix("millrace takes jobs at") ? "millrace takes jobs at …" : String($0)
        }
        #expect(said == once + once)
    }

    private func waitUntil(_ runner: RunnerProcess, says text: String, times: Int) throws {
        try eventually("it says: \(text)") { () -> Void? in
            runner.process.output.components(separatedBy: text).count > times ? () : nil
        }
    }

    private func threads(of process: pid_t) throws -> [String] {
        let folder = "/proc/\(process)/task"
        return try FileManager.default.contentsOfDirectory(atPath: folder).map {
            (try? String(contentsOfFile: "\(folder)/\($0)/comm", encoding: .utf8)) ?? ""
        }
    }

    @Test func `the example of a program with a kernel of its own does what its page says`()
        throws
    {
        let directory = try TemporaryDirectory()
        let example = try ChildProcess(
            RunnerProcess.built("embedding-example"),
            [directory.path + "/state"],
            environment: RunnerProcess.environment,
            directory: directory.path
        )
        #expect(try example.waitForEnd() == 0, "\(example.errors)")
        #expect(example.output == "succeeded {\"words\":6}\n")
    }
}
