internal import ArgumentParser
internal import JobClient
internal import JobCore
internal import JobWire

/// `millrace show ID…`: all about jobs.
struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show all about jobs: where they are, what went wrong, and why they wait.",
        discussion: """
            Of a job that comes after others the tree of those is drawn, each of them once.

            Examples:
              millrace show last
              millrace show 3-9 --json
            """
    )

    @OptionGroup var arguments: JobArguments

    @Flag(help: "Print JSON for programs: one object for one job, an array for several.")
    var json = false

    @OptionGroup var runner: RunnerOptions

    func run() throws {
        let client = try runner.client()
        let ids = try arguments.ids(asking: client)
        let jobs = try client.show(ids)
        if json {
            Console.print(arguments.isOne ? jobs.first ?? .null : .array(jobs))
        } else {
            printPages(of: jobs, try JobTree.predecessors(of: jobs) { try client.show($0) })
        }
        let found = Set(jobs.compactMap { $0["id"]?.integerValue })
        let missing = ids.filter { !found.contains($0.rawValue) }
        guard !missing.isEmpty else { return }
        for id in missing {
            Console.tell("There is no job \(id.rawValue), or it is no longer kept.")
        }
        throw ExitCode.unknownJob
    }

    private func printPages(of jobs: [JSON], _ others: [Int64: JSON]) {
        let now = Timestamp.now
        for (place, job) in jobs.enumerated() {
            if place > 0 { Console.print("") }
            let page = JobPage(job, now: now, color: Console.outHasColor)
            let tree = JobTree(of: job, among: others)
            for line in page.lines + tree.lines(color: Console.outHasColor) { Console.print(line) }
        }
    }
}
