internal import JobWire

/// Rows D, E and H: SQL on tables that the bench has made.
extension BenchStage {
    func measureLookups(_ load: BenchLoad) throws {
        let jobs = BenchTables.lookups(plan.count(.lookups), of: plan.tableRows)
        let found = try load.endToEnd(jobs, batch: plan.batch)
        book.note(.init(row: .lookups, unit: "jobs/s", goal: .atLeast(40_000)), found.perSecond)
        noteCosts(.lookups, found)
    }

    /// Once kept by the runner, and once read straight through and not kept.
    func measureRanges(_ load: BenchLoad) throws {
        let jobs = BenchTables.ranges(plan.count(.ranges), of: plan.tableRows)
        let kept = try load.endToEnd(jobs, batch: min(plan.batch, 64))
        book.note(
            .init(row: .ranges, name: "kept", unit: "jobs/s", goal: .atLeast(1_500)),
            kept.perSecond
        )
        book.note(
            .init(row: .ranges, name: "kept, bytes of results", unit: "MB/s"),
            kept.perSecond * kept.meanBytes / 1e6
        )
        let passed = try passThrough(jobs, load)
        book.note(
            .init(row: .ranges, name: "read and not kept", unit: "jobs/s", goal: .atLeast(1_500)),
            passed
        )
    }

    /// - Returns: Jobs a second whose results have come.
    private func passThrough(_ jobs: BenchJobs, _ load: BenchLoad) throws -> Double {
        let messages = (0..<jobs.count).map { jobs.single($0, #","wait_ms":60000,"keep_ms":0"#) }
        // Some 100 KB each: less than the 4 MiB that a client may leave unread.
        let pipeline = try load.target.pipeline(plan.clients, window: 32)
        for line in pipeline.lines { _ = try line.ask("sys.ping") }
        var checked: [BenchReply] = []
        let start = nanoseconds()
        try pipeline.run(jobs.count, message: { messages[$0] }) { reply, _ in
            guard reply.result?.isEmpty == false else {
                throw BenchError.wrong("a range came without its rows")
            }
            if checked.count < 10 { checked.append(reply) }
        }
        let time = seconds(since: start)
        for reply in checked {
            guard let name = try reply.json["request"]?.stringValue, let number = Int(name),
                jobs.isRight(number, reply.result ?? [])
            else { throw BenchError.wrong("a range that was not kept differs") }
        }
        return Double(jobs.count) / time
    }

    /// What the database holds in the end tells whether each write had its effect once.
    func measureWrites(_ load: BenchLoad) throws {
        let jobs = BenchTables.writes(plan.count(.writes))
        let before = try tables?.bookings() ?? 0
        let found = try load.endToEnd(jobs, batch: plan.batch)
        let after = try tables?.bookings() ?? 0
        guard after - before == jobs.count else {
            throw BenchError.wrong("\(jobs.count) writes had \(after - before) effects")
        }
        book.note(.init(row: .writes, unit: "jobs/s", goal: .atLeast(20_000)), found.perSecond)
        noteCosts(.writes, found)
    }
}
