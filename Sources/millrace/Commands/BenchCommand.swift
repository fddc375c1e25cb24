internal import ArgumentParser

/// `millrace bench`: how fast a runner is on this machine.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure how fast a runner is on this machine.",
        discussion: """
            Starts runners of its own, each with an empty store in a directory that is removed
            afterwards, and measures the rows of the article Performance: A to M, or those that you
            name. Everything is synced to the disk, and results are read back and compared.

            All rows together take half an hour. --scale 0.01 gives a first impression in a minute.

            With --connect it measures a runner that runs already, in its queue `bench`: rows A, A1,
            C, I and M; their jobs are kept for an hour.

            Examples:
              millrace bench A C
              millrace bench --scale 0.01
              millrace bench A --batch 1000 --clients 2 --json > figures.json
              millrace bench C --connect ipc:///var/lib/millrace/run/millrace.sock
            """
    )

    @Argument(help: ArgumentHelp("The rows; all of them unless told.", valueName: "row"))
    var rows: [BenchRow] = []

    @Option(help: "Jobs, pings or puzzles of each row, instead of its own number.")
    var jobs: Int?

    @Option(help: "Jobs that wait in rows J, K and L, instead of their own numbers.")
    var waiting: Int?

    @Option(help: "Jobs in one submission.")
    var batch = BenchPlan().batch

    @Option(help: "Connections that submit side by side.")
    var clients = BenchPlan().clients

    @Option(name: .customLong("repeat"), help: "How often each row is measured.")
    var repeats = BenchPlan().repeats

    @Option(help: "How much of everything: 1 for all, 0.01 for a first impression.")
    var scale = BenchPlan().scale

    @Option(help: "Where the stores shall lie: on the disk that you want to know about.")
    var directory = Environment["TMPDIR"] ?? "/var/tmp"

    @Option(help: "The endpoint of a runner to measure, instead of runners of its own.")
    var connect: String?

    @Flag(help: "Print JSON for programs: all repeats, the machine, versions and settings.")
    var json = false

    func validate() throws {
        let counts = [jobs, waiting, repeats].compactMap { $0 }
        guard counts.allSatisfy({ $0 > 0 }), scale > 0, scale <= 1 else {
            throw ValidationError("Numbers are at least 1, and --scale is above 0 and at most 1.")
        }
        guard BenchPlan.batches.contains(batch), BenchPlan.clientCounts.contains(clients) else {
            throw ValidationError(
                "--batch is from 1 to \(BenchPlan.batches.upperBound), "
                    + "--clients from 1 to \(BenchPlan.clientCounts.upperBound)."
            )
        }
        let unfit = rows.filter { !$0.fitsAnyRunner }.map(\.rawValue)
        guard connect == nil || unfit.isEmpty else {
            throw ValidationError(
                "Row \(unfit[0]) needs a runner of its own: leave --connect out."
            )
        }
    }

    func run() throws {
        let stop = StopSignals()
        defer { Console.draw("") }
        let stage = try BenchStage(plan, connected: connect, directory: directory, stop: stop)
        for row in BenchRow.allCases where isWanted(row) { try stage.measure(row) }
        Console.draw("")
        let report = BenchReport(
            plan: plan,
            book: stage.book,
            directory: connect == nil ? directory : nil
        )
        guard !json else { return Console.print(report.json) }
        Console.tell(report.headline)
        Console.print(stage.book.table)
        for (name, latencies) in stage.book.latencies {
            Console.tell("\n\(name): how many took at most so long")
            for line in latencies.histogram { Console.tell(line) }
        }
    }

    private func isWanted(_ row: BenchRow) -> Bool {
        rows.isEmpty ? connect == nil || row.fitsAnyRunner : rows.contains(row)
    }

    private var plan: BenchPlan {
        var plan = BenchPlan()
        plan.scale = scale
        plan.jobs = jobs
        plan.waiting = waiting
        plan.batch = batch
        plan.clients = clients
        plan.repeats = repeats
        return plan
    }
}
