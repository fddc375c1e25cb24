import Glibc
import JobTesting
import JobWire
import Testing

/// More clients than descriptors: those connected are served, and the rest costs nothing.
@Suite(.serialized) struct DescriptorTests {
    private let row = FaultRow("descriptors", count: 1)

    private func start(descriptors: Int = 72) throws -> RunnerProcess {
        var options = RunnerProcess.Options()
        options.wrapper = ["/usr/bin/prlimit", "--nofile=\(descriptors):\(descriptors)"]
        let runner = try RunnerProcess(options)
        // Its workers have what they need: a descriptor each.
        let client = try Conversation(runner.ipc)
        _ = try client.result(client.submit(#"{"kernel":"sleep","input":{"ms":1}}"#))
        _ = try eventually("two workers are there") {
            try client.ask("sys.stats")["workers"]?.arrayValue?.count == 2 ? true : nil
        }
        return runner
    }

    /// What goes wrong here goes wrong seldom: then it shall be known why.
    private func told(by runner: RunnerProcess, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch {
            throw Trouble(sentence: "\(error)", log: runner.process.errors)
        }
    }

    private struct Trouble: Error {
        let sentence: String
        let log: String
    }

    private func crowd(at runner: RunnerProcess) throws -> [RawConnection] {
        try (0..<500).map { _ in try RawConnection(to: runner.port, waiting: false) }
    }

    @Test func `five hundred clients with 72 descriptors starve nobody`() throws {
        let broken = try row.run("500 clients with 72 descriptors") { tally in
            let runner = try start()
            let first = try Conversation(runner.tcp)
            try first.ask("sys.ping")
            let crowd = try crowd(at: runner)
            try told(by: runner) {
                for n in 0..<50 {
                    let id = try first.submit(#"{"kernel":"echo","input":\#(n)}"#)
                    if try first.result(id).text != "\(n)" {
                        tally.broken.append("No result \(n).")
                    }
                }
            }
            tally.tried = crowd.count
            if try first.run != 1 { tally.broken.append("It started anew.") }
            if !isAlive(try runner.worker()) { tally.broken.append("It is gone.") }
        }
        #expect(broken.isEmpty, "\(broken)")
    }

    /// libzmq spins while it cannot accept who waits, so nobody may wait.
    @Test func `clients for whom there is no descriptor burn no processor`() throws {
        let broken = try row.run("a processor while they wait") { tally in
            let runner = try start()
            let worker = try runner.worker()
            let crowd = try crowd(at: runner)
            let before = try processorTime(of: worker)
            let start = ContinuousClock.now
            letPass(microseconds: 1_000_000)
            let used = try processorTime(of: worker) - before
            let share = Int(used / (ContinuousClock.now - start) * 100)
            tally.tried = crowd.count
            tally.notes.append("\(share) % of a processor while nobody asks anything")
            if share > 50 { tally.broken.append("It used \(share) % of a processor.") }
        }
        #expect(broken.isEmpty, "\(broken)")
    }

    /// libzmq's listener for ipc ends the process when it has no descriptor for a connection.
    @Test func `more programs on this machine than descriptors end nobody`() throws {
        let runner = try start(descriptors: 256)
        let first = try Conversation(runner.ipc)
        try first.ask("sys.ping")
        try told(by: runner) {
            var crowd: [Conversation] = []
            for _ in 0..<300 {
                crowd.append(try Conversation(dealer: runner.ipc))
                try crowd.last?.say("sys.ping", "")
                // Hundreds in one moment may end it, as Reliability says.
                if crowd.count % 4 == 0 { try first.ask("sys.ping") }
            }
            _ = try eventually("the alarm is there") {
                let alarms = try first.ask("sys.stats")["alarms"]?.arrayValue ?? []
                let isFull = alarms.contains { $0.stringValue?.hasPrefix("New clients") ?? false }
                return isFull ? true : nil
            }
            #expect(try first.run == 1)
            crowd.removeAll()
            let late = try Conversation(runner.ipc)
            try late.ask("sys.ping")
            #expect(try late.run == 1)
        }
    }
}
