import Foundation
import Glibc
import JobTesting
import JobWire
import Testing

/// Command jobs under kills of the runner at drawn moments: what an attempt has started is gone
/// before the next one may begin, and each job ends.
@Suite(.serialized) struct CommandKillTests {
    /// Leaves one process in its group, one that has left it, and one whose parent is gone, each
    /// for longer than anybody waits.
    private static let script = """
        sleep 600 & setsid sleep 600 & (sleep 600 &)
        sleep "$PAUSE"; echo "did $NUMBER"
        """

    @Test func `kills beside commands leave nothing of them, and each job ends`() throws {
        let row = FaultRow("commands", count: 5)
        let broken = try row.run("kill -9 beside commands") { tally in
            var chance = SeededGenerator(seed: row.seed)
            let stage = try CommandStage(["WORKERS": "4"])
            let runner = stage.runner
            var client = stage.client
            var jobs: [Int64: Int] = [:]
            // A supervisor whose child dies early again and again waits longer each time.
            var spared = 0
            while tally.tried < row.count {
                for _ in 0..<6 {
                    let pause = Int.random(in: 20...200, using: &chance)
                    let number = jobs.count
                    jobs[try client.submit(Self.job(number, pauseMs: pause, of: runner))] = number
                }
                let counts = try waitForSome(of: runner)
                letPass(microseconds: UInt32.random(in: 0...100_000, using: &chance))
                spared = Int.random(in: 0...3, using: &chance) == 0 ? 3 : spared + 1
                let dead = try kill(runner, both: spared > 2)
                if spared > 2 { spared = 0 }
                tally.broken += marked(by: runner).filter { $0.startTicks < dead }.map {
                    "Process \($0.id) of an earlier run is there when jobs are taken again."
                }
                if counts { tally.tried += 1 }
                client = try Conversation(runner.ipc)
            }
            try settle(jobs, client, runner, tally)
        }
        #expect(broken.isEmpty, "\(broken.prefix(10))")
    }

    /// The control: processes that outlive a kill are found by the same look.
    @Test func `what would be left is seen`() throws {
        let stage = try CommandStage()
        let id = try stage.client.submit(Self.job(0, pauseMs: 600_000, of: stage.runner))
        try stage.client.waitUntilRunning(id)
        let all = try eventually("the command has started others") {
            let found = marked(by: stage.runner)
            return found.count >= 5 ? found : nil
        }
        #expect(all.allSatisfy { $0.startTicks <= ticksNow() })
        try stage.client.ask("job.cancel", #"{"id":\#(id)}"#)
        #expect(try stage.client.result(id).state == "cancelled")
        try eventually("nothing is left") { () -> Void? in
            marked(by: stage.runner).isEmpty ? () : nil
        }
    }

    // MARK: Load

    private static func job(_ number: Int, pauseMs: Int, of runner: RunnerProcess) -> String {
        var job = JSONObject()
        _ = job.append("command", ["sh", "-c", .string(script)])
        let pause = "0.\(String(1_000 + min(pauseMs, 999)).dropFirst())"
        let seconds = pauseMs < 1_000 ? pause : "\(pauseMs / 1_000)"
        _ = job.append(
            "env",
            [
                "MARK": .string(runner.directory.path), "PAUSE": .string(seconds),
                "NUMBER": .string("\(number)"),
            ]
        )
        return String(decoding: JSON.object(job).encoded(), as: UTF8.self)
    }

    /// - Returns: Whether a command runs now.
    private func waitForSome(of runner: RunnerProcess) throws -> Bool {
        try eventually("a command runs") { () -> Void? in
            marked(by: runner).isEmpty ? nil : ()
        }
        return !marked(by: runner).isEmpty
    }

    /// Kills the runner, alone or with its supervisor, and waits until jobs are taken again.
    ///
    /// - Returns: When the runner was gone, in ticks.
    private func kill(_ runner: RunnerProcess, both: Bool) throws -> UInt64 {
        guard !both else {
            try runner.killAll()
            let dead = ticksNow()
            try runner.restart()
            return dead
        }
        let lives = runner.readyCount
        let worker = try runner.worker()
        Glibc.kill(worker, SIGKILL)
        try runner.waitForEnd(of: worker)
        let dead = ticksNow()
        try runner.waitUntilReady(times: lives + 1)
        return dead
    }

    /// All jobs have ended as they should, and nothing of them is left.
    private func settle(
        _ jobs: [Int64: Int],
        _ client: Conversation,
        _ runner: RunnerProcess,
        _ tally: FaultTally
    ) throws {
        var poisoned = 0
        for (id, number) in jobs {
            let said = try client.result(id)
            if said.errorCode == "poisoned" {
                poisoned += 1
            } else if said.text != "did \(number)\n" {
                tally.broken.append("Job \(id) gave \(said.head).")
            }
        }
        try eventually("no command is left") { () -> Void? in
            marked(by: runner).isEmpty ? () : nil
        }
        let rooms = runner.state + "/run/commands"
        let left = try FileManager.default.contentsOfDirectory(atPath: rooms)
        if !left.isEmpty { tally.broken.append("Rooms are left: \(left).") }
        tally.notes.append("\(jobs.count) jobs, \(poisoned) of them killed three times")
    }
}

// MARK: Processes

/// A process that belongs to some command of a runner.
private struct Marked {
    let id: pid_t
    /// When it was started, in the kernel's ticks since the machine was.
    let startTicks: UInt64
}

/// Those that run, found by the variable `MARK` that their jobs have given them.
private func marked(by runner: RunnerProcess) -> [Marked] {
    let mark = Data("MARK=\(runner.directory.path)\0".utf8)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { name in
        guard let id = pid_t(name), isAlive(id),
            let variables = FileManager.default.contents(atPath: "/proc/\(id)/environ"),
            variables.range(of: mark) != nil,
            let stat = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8),
            let name = stat.lastIndex(of: ")")
        else { return nil }
        // The third of all fields, the state, is the first of these.
        let fields = stat[stat.index(after: name)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]).map { Marked(id: id, startTicks: $0) } : nil
    }
}

private func ticksNow() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    let perSecond = sysconf(CInt(_SC_CLK_TCK))
    return UInt64(time.tv_sec * perSecond + time.tv_nsec / (1_000_000_000 / perSecond))
}
