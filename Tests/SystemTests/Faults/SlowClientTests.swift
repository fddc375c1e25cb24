import JobTesting
import JobWire
import Testing

/// What one client can do to another by never reading, or by never stopping.
@Suite(.serialized) struct SlowClientTests {
    private let ping: [[UInt8]] = [[], Array("MDPC01".utf8), Array("sys.info".utf8)]

    @Test func `one that never reads and one that floods hurt nobody`() throws {
        let row = FaultRow("slow-client", count: 1)
        let broken = try row.run("a client that never reads, one that floods") { tally in
            let runner = try RunnerProcess()
            let quiet = try Bystander(runner.tcp).waits()

            let deaf = try Conversation(dealer: runner.tcp)
            var bystander = Bystander(runner.tcp)
            var sent = 0
            try eventually("the deaf client has said much") { () -> Void? in
                while try deaf.sayRaw(ping) && sent < 100_000 { sent += 1 }
                return sent == 100_000 ? () : nil
            }
            let besideDeaf = try bystander.waits()

            let flood = try Conversation(dealer: runner.ipc)
            let jobs = Array(repeating: #"{"kernel":"echo","input":1}"#, count: 1_000)
            bystander = Bystander(runner.tcp)
            for _ in 0..<30 {
                try flood.say("job.submit", #"{"jobs":[\#(jobs.joined(separator: ","))]}"#)
            }
            for _ in 0..<30 {
                let said = try flood.hear()
                if said.ids.count != 1_000 { tally.broken.append("\(said.head)") }
            }
            let besideFlood = try bystander.waits()
            tally.tried = 2
            tally.notes = [
                "alone \(quiet)", "deaf beside \(besideDeaf)", "flood beside \(besideFlood)",
            ]
            tally.broken += quiet.problems + besideDeaf.problems + besideFlood.problems
        }
        #expect(broken.isEmpty, "\(broken)")
    }
}
