import Glibc
import JobTesting
import Testing

/// The first promises, with violence: what was acknowledged is there after any kill, and what was
/// read stays as it was. The control shows that the same books catch a runner that lies.
@Suite(.serialized) struct KillTests {
    @Test func `kills under load lose nothing that was acknowledged`() throws {
        let row = FaultRow("kill", count: 20)
        let broken = try row.run("kill -9 under load") { tally in
            // A supervisor whose child dies early again and again waits longer each time.
            var spared = 0
            try Siege.campaign(row, tally) { siege in
                let runner = siege.runner
                guard siege.book.below(4) == 0, spared < 3 else {
                    spared = 0
                    return try siege.strike(runner.killAll) { try runner.restart() }
                }
                spared += 1
                let lives = runner.readyCount
                return try siege.strike {
                    let worker = try runner.worker()
                    kill(worker, SIGKILL)
                    try runner.waitForEnd(of: worker)
                } andRestart: {
                    try runner.waitUntilReady(times: lives + 1)
                }
            }
        }
        #expect(broken.isEmpty, "\(broken.prefix(10))")
    }

    /// One who submits a short job and waits is answered after one commit, of the job and of its
    /// end, which was under way before anything was written.
    @Test func `kills beside one who waits lose no result that was heard`() throws {
        let row = FaultRow("kill", count: 20)
        let broken = try row.run("kill -9 beside one who waits") { tally in
            var chance = SeededGenerator(seed: row.seed)
            let runner = try RunnerProcess()
            var heard: [Int64: String] = [:]
            while tally.tried < row.count {
                let client = try Conversation(dealer: runner.tcp)
                for _ in 0..<Int.random(in: 5...40, using: &chance) {
                    let text = "\(heard.count)"
                    try client.say("job.submit", Self.waiting(text))
                    let said = try client.hear()
                    if said.text != text { tally.broken.append("\(text) gave \(said.head)") }
                    if heard.updateValue(text, forKey: said.id) != nil {
                        tally.broken.append("The id \(said.id) belongs to two jobs.")
                    }
                }
                try client.say("job.submit", Self.waiting("null"))
                letPass(microseconds: UInt32.random(in: 0...2_000, using: &chance))
                try runner.killAll()
                try runner.restart()
                tally.tried += 1
            }
            let client = try Conversation(runner.ipc)
            for (id, text) in heard {
                let said = try client.result(id)
                if said.text != text { tally.broken.append("Job \(id) has \(said.head)") }
            }
            tally.notes.append("\(heard.count) results heard")
        }
        #expect(broken.isEmpty, "\(broken.prefix(10))")
    }

    private static func waiting(_ input: String) -> String {
        #"{"kernel":"echo","input":\#(input),"wait_ms":60000}"#
    }

    @Test func `a runner that acknowledges before the commit is caught`() throws {
        let row = FaultRow("kill", count: 20)
        let broken = try row.run("control: acknowledged before the commit") { tally in
            var options = RunnerProcess.Options()
            options.program = "millrace-test-runner"
            options.settings["TEST_STORE"] = "hasty"
            let siege = try Siege(seed: row.seed, options)
            let (runner, book) = (siege.runner, siege.book)
            while book.problems.isEmpty && tally.tried < row.count {
                guard try siege.strike(runner.killAll, andRestart: { try runner.restart() }) else {
                    continue
                }
                tally.tried += 1
                try book.compareWithList()
            }
            let lost = book.problems.count { $0.hasSuffix("was acknowledged and is gone.") }
            tally.notes.append("\(lost) jobs lost, as it must be")
            if lost == 0 { tally.broken.append("It was not caught.") }
        }
        #expect(broken.isEmpty)
    }
}
