internal import JobWire

/// Rows A, A1, B and K: jobs that do nothing, so that what is measured is the runner.
extension BenchStage {
    func measureEndToEnd(_ load: BenchLoad) throws {
        let jobs = BenchJobs.noOps(plan.count(.endToEnd))
        let found = try load.endToEnd(jobs, batch: plan.batch)
        book.note(.init(row: .endToEnd, unit: "jobs/s", goal: .atLeast(60_000)), found.perSecond)
        noteCosts(.endToEnd, found)
    }

    func measureSingly(_ load: BenchLoad) throws {
        let jobs = BenchJobs.noOps(plan.count(.singly))
        let found = try load.endToEnd(jobs, batch: nil)
        book.note(.init(row: .singly, unit: "jobs/s", goal: .atLeast(40_000)), found.perSecond)
        noteCosts(.singly, found)
    }

    /// Where the cores went: on two of them, a second has two million µs for all jobs.
    func noteCosts(_ row: BenchRow, _ found: BenchLoad.Ended) {
        book.note(.init(row: row, name: "client's CPU", unit: "µs/job"), found.clientMicros)
        guard let runner = found.runnerMicros else { return }
        book.note(.init(row: row, name: "runner's CPU", unit: "µs/job"), runner)
    }

    /// The queue is paused: no job runs beside.
    func measureSubmission(_ load: BenchLoad) throws {
        _ = try load.target.line().ask("queue.pause", ["queue": .string(load.target.queue)])
        let count = plan.count(.submission)
        let found = try load.submit(.noOps(count), batch: plan.batch)
        book.note(
            .init(row: .submission, unit: "jobs/s", goal: .atLeast(120_000)),
            Double(count) / found.seconds
        )
    }

    /// First on empty stores, then on one whose other queue is full and paused.
    func measureBesideWaiting() throws {
        let jobs = BenchJobs.noOps(plan.count(.besideWaiting))
        let row = BenchRow.besideWaiting
        var empty: [Double] = []
        try repeated(row) { target in
            let load = BenchLoad(target: target, plan: plan)
            empty.append(try load.endToEnd(jobs, batch: plan.batch).perSecond)
        }
        let waiting = plan.waitingCount(row)
        Console.draw("row K, \(waiting) jobs shall wait")
        try withRunner { target in
            let load = BenchLoad(target: target, plan: plan)
            try load.fill("waiting", with: waiting, of: #""kernel":"echo","input":0"#)
            for (turn, alone) in empty.enumerated() {
                Console.draw("row K, \(turn + 1) of \(empty.count)")
                let beside = try load.endToEnd(jobs, batch: plan.batch).perSecond
                book.note(.init(row: row, name: "empty store", unit: "jobs/s"), alone)
                let name = "\(Figure.text(Double(waiting))) waiting"
                book.note(.init(row: row, name: name, unit: "jobs/s"), beside)
                book.note(
                    .init(row: row, name: "ratio", unit: "×", goal: .atLeast(0.8)),
                    beside / alone
                )
            }
            guard try target.count("queued", in: "waiting", by: target.line()) == waiting else {
                throw BenchError.wrong("jobs of a paused queue have not waited")
            }
        }
        Console.draw("")
    }
}
