import Glibc
import JobTesting
import JobWire
import Testing

/// More clients than descriptors: those connected are served, and the rest costs nothing.
@Suite struct DescriptorTests {
    @Test func `five hundred clients with 64 descriptors starve nobody and burn nothing`() throws {
        let row = FaultRow("descriptors", count: 1)
        let broken = try row.run("500 clients with 64 descriptors") { tally in
            var options = RunnerProcess.Options()
            options.wrapper = ["/usr/bin/prlimit", "--nofile=64:64"]
            let runner = try RunnerProcess(options)
            let first = try Conversation(runner.tcp)
            try first.ask("sys.ping")
            let worker = try runner.worker()
            let crowd = try (0..<500).map { _ in try RawConnection(to: runner.port, waiting: false)
            }
            try first.ask("sys.ping")

            let before = try processorTime(of: worker)
            let start = ContinuousClock.now
            for _ in 0..<50 {
                if try first.ask("sys.ping").code != "200" { tally.broken.append("No ping.") }
                letPass(microseconds: 20_000)
            }
            let id = try first.submit(#"{"kernel":"echo","input":5}"#)
            if try first.result(id).text != "5" { tally.broken.append("No result.") }
            let used = try processorTime(of: worker) - before
            let share = Int(used / (ContinuousClock.now - start) * 100)
            tally.tried = crowd.count
            tally.notes.append("\(share) % of a processor meanwhile")
            if share > 60 { tally.broken.append("It used \(share) % of a processor.") }
        }
        #expect(broken.isEmpty, "\(broken)")
    }
}
