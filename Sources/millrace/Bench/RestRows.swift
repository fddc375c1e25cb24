internal import Glibc
internal import JobWire

/// Rows J and L: a runner that has nothing to do, and one that has just been started.
extension BenchStage {
    func measureRest(_ target: BenchTarget) throws {
        let load = BenchLoad(target: target, plan: plan)
        try watch(target, "empty store", memoryGoal: 20)
        let waiting = plan.waitingCount(.idle)
        try load.fill("waiting", with: waiting, of: #""kernel":"echo","input":0"#)
        try watch(target, "\(Figure.text(Double(waiting))) waiting", memoryGoal: 100)
    }

    /// The runner and its supervisor together.
    private func watch(_ target: BenchTarget, _ name: String, memoryGoal: Double) throws {
        guard let process = target.process else { return }
        try waitForRest(of: process.processes)
        let before = ProcessUse(of: process.processes)
        let start = nanoseconds()
        try wait(ms: plan.restMs)
        let time = seconds(since: start)
        let after = ProcessUse(of: process.processes)
        func note(_ what: String, _ unit: String, _ goal: Figure.Goal?, _ value: Double) {
            book.note(.init(row: .idle, name: "\(name), \(what)", unit: unit, goal: goal), value)
        }
        note("CPU", "%", .atMost(0.05), (after.cpuSeconds - before.cpuSeconds) / time * 100)
        note("wake-ups", "1/s", nil, Double(after.wakeUps - before.wakeUps) / time)
        note("anonymous memory", "MiB", .atMost(memoryGoal), after.anonymousMiB)
    }

    /// What was begun before shall be over, the checkpoint of all that was written and a walk
    /// through the jobs that are kept: until they have done nothing worth mentioning for as long as
    /// there may be nothing in between, at most a minute.
    private func waitForRest(of processes: [pid_t]) throws {
        let start = nanoseconds()
        var used = ProcessUse(of: processes).cpuSeconds
        while seconds(since: start) < 60 {
            try wait(ms: plan.restMs + plan.restMs / 5)
            let now = ProcessUse(of: processes).cpuSeconds
            if now - used < 0.001 { return }
            used = now
        }
    }

    private func wait(ms: Int) throws {
        let start = nanoseconds()
        while seconds(since: start) * 1_000 < Double(ms) {
            try stop.check()
            pause(ms: CInt(min(ms, 100)))
        }
    }

    /// From the start of the program until a job runs. The jobs take an hour, so that all others
    /// still wait at the next start.
    func measureStart() throws {
        let waiting = plan.waitingCount(.start)
        let state = newState()
        Console.draw("row L, \(waiting) jobs shall wait")
        try withRunner(state: state) { target in
            let load = BenchLoad(target: target, plan: plan)
            try load.fill("waiting", with: waiting, of: #""kernel":"sleep","input":{"ms":3600000}"#)
            _ = try target.line().ask("queue.resume", ["queue": "waiting"])
        }
        for turn in 0..<plan.repeats {
            Console.draw("row L, \(turn + 1) of \(plan.repeats)")
            try withRunner(state: state) { target in
                let line = try target.line()
                while try line.ask("sys.stats")["counts"]?["running"]?.integerValue ?? 0 == 0 {
                    pause(ms: 1)
                }
                let time = seconds(since: target.process?.startedAt ?? 0)
                let name = "\(Figure.text(Double(waiting))) waiting"
                book.note(.init(row: .start, name: name, unit: "s", goal: .atMost(1)), time)
            }
        }
        Console.draw("")
    }
}
