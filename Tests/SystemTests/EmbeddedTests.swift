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
}
