/// Rows C and G: how long one job takes that somebody waits for.
extension BenchStage {
    /// Over each of the runner's transports.
    func measureOneAtATime(_ load: BenchLoad) throws {
        let count = plan.count(.oneAtATime)
        var jobs = BenchJobs.noOps(count)
        jobs.terms = load.target.terms
        let messages = (0..<count).map { jobs.single($0, #","wait_ms":10000"#) }
        for (name, endpoint) in load.target.endpoints {
            let pipeline = try load.target.pipeline(plan.clients, window: 1, to: endpoint)
            // One goes before: connected, and everything loaded that the first job needs.
            for line in pipeline.lines {
                try line.send(messages[0])
                _ = try line.next()
            }
            var latencies = Latencies()
            var right = 0
            // The reply does not say which job's it is without being read, so results are summed
            // up: numbers that all come once have one sum.
            try pipeline.run(count, message: { messages[$0] }) { reply, took in
                latencies.add(took)
                right += reply.result.flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? -1
            }
            guard right == count * (count - 1) / 2 else {
                throw BenchError.wrong("results that were waited for differ")
            }
            book.note(.oneAtATime, name, latencies, goals: ["p50": 0.6, "p99": 1.2])
        }
    }

    /// All workers scan, and ten more scans wait, whenever a lookup comes.
    func measureLookupBehindScans(_ load: BenchLoad) throws {
        let target = load.target
        let scans = try BenchScans(target, beyondWorkers: 10)
        let line = try target.line()
        var random = SeededNumbers(seed: 3)
        let lookups = BenchTables.lookups(plan.count(.lookupBehindScans), of: plan.tableRows)
        var latencies = Latencies()
        for number in 0..<lookups.count {
            try scans.topUp()
            // Not always at the moment when a scan begins.
            pause(ms: CInt(random.below(50)))
            let start = nanoseconds()
            try line.send(lookups.single(number, #","wait_ms":60000"#))
            let reply = try line.next()
            latencies.add(nanoseconds() - start)
            guard lookups.isRight(number, reply.result ?? []) else {
                throw BenchError.wrong("a lookup behind scans")
            }
        }
        try scans.cancel()
        book.note(.lookupBehindScans, "", latencies, goals: ["p50": 20])
    }
}
