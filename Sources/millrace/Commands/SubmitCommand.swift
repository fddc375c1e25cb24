internal import ArgumentParser
internal import JobClient
internal import JobCore
internal import JobWire

/// `millrace submit`: one job from options, or those of files.
struct SubmitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Submit jobs, and print their numbers.",
        discussion: """
            A job is accepted once it is safely on the runner's disk. Its number, alone, goes to \
            standard output; with --wait the result does instead.

            A parameter that is a JSON scalar (7, 2.5, true, null, "7") has that type, everything \
            else is text. The rows of a CSV take the place of parameters: the SQL, one statement, \
            runs once with each, by the names in the header or by position, and all rows take \
            effect or none. Durations are written 500ms, 30s, 10m, 2h or 7d.

            Examples:
              millrace submit --sql "select ? + ?" --param 20 --param 22 --wait
              millrace submit --sql "select * from orders where day = :day" \\
                  --database sales --named day=2026-01-01 --format csv
              millrace submit --sql "insert into orders values (:id, :day)" \\
                  --database sales --mode write --each orders.csv
              millrace submit --kernel primes --input '{"below":1000000}' --parts 4
              millrace submit --kernel sum --input @numbers.json --delay 10m --tag nightly
              millrace submit --sql "select * from sales" --database shop --after 7
              millrace submit report.sql
              millrace submit examples/after.yaml
              millrace submit --command --input @report.csv --wait -- gzip -9 > report.csv.gz
            """
    )

    @Argument(
        help: ArgumentHelp(
            "Files with jobs, as the spool directory takes them; after --, the words of a command.",
            valueName: "files"
        )
    )
    var words: [String] = []

    @OptionGroup(title: "Work") var work: WorkOptions
    @OptionGroup(title: "How") var terms: TermsOptions
    @OptionGroup var runner: RunnerOptions

    @Flag(help: "Wait for the end, and print the result.")
    var wait = false

    @Flag(help: "Print JSON for programs.")
    var json = false

    func validate() throws {
        let works = [work.sql != nil, work.kernel != nil, work.command || !words.isEmpty]
        guard works.filter({ $0 }).count == 1 else {
            throw ValidationError("Give one of --sql, --kernel, --command, or files.")
        }
        guard !work.command || !words.isEmpty else {
            throw ValidationError("--command wants a program and its arguments: -- gzip -9")
        }
        guard files.isEmpty || (!work.hasDetails && terms.isEmpty) else {
            throw ValidationError(
                "What is in a file tells how its jobs run; leave the options out."
            )
        }
    }

    func run() throws {
        let client = try runner.client()
        let ids = try files.isEmpty ? submitOne(client) : submitFiles(client)
        guard wait else { return }
        let printer = ResultPrinter(raw: json)
        throw try Waiting(client: client).results(of: ids, timeout: nil, to: printer)
    }

    private var files: [String] { work.command ? [] : words }

    private func submitOne(_ client: JobClient) throws -> [JobID] {
        var job = try work.job(words)
        terms.apply(to: &job)
        let accepted = try client.submit(job)
        if json && !wait {
            Console.print([
                "id": .integer(accepted.id.rawValue), "state": .string(accepted.state.rawValue),
                "created": .bool(accepted.created),
            ])
        } else {
            tell([accepted.id])
        }
        return [accepted.id]
    }

    /// All files are read before the first job is submitted; those of one file go together.
    private func submitFiles(_ client: JobClient) throws -> [JobID] {
        let jobs = try files.map { try JobFiles.jobs(inFile: $0) }
        var ids: [JobID] = []
        // Also when a later file is refused: what was accepted runs.
        defer {
            if json && !wait { Console.print(["ids": .array(ids.map { .integer($0.rawValue) })]) }
        }
        for found in jobs {
            let some = try client.submit(all: found.jobs, frames: found.frames)
            if !json { tell(some) }
            ids += some
        }
        return ids
    }

    /// The numbers are data, unless it is the results that were asked for.
    private func tell(_ ids: [JobID]) {
        for id in ids {
            if wait { Console.tell("Job \(id.rawValue)") } else { Console.print("\(id.rawValue)") }
        }
    }
}

/// What the job does.
struct WorkOptions: ParsableArguments {
    // Statements may begin with a comment, values with a minus.
    @Option(parsing: .unconditional, help: "An SQL job: the statement or statements.")
    var sql: String?

    @Option(help: "The database, by its name in the runner's settings; none is an empty one.")
    var database: String?

    @Option(parsing: .unconditionalSingleValue, help: "A value for the next ? in the SQL.")
    var param: [String] = []

    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("A value for :NAME in the SQL.", valueName: "name=value")
    )
    var named: [String] = []

    @Option(
        help: ArgumentHelp("A CSV: the SQL runs once with each of its rows.", valueName: "file.csv")
    )
    var each: String?

    @Option(help: "read or write; read unless told.")
    var mode: String?

    @Option(help: "Of the result: json, jsonl or csv.")
    var format: String?

    @Option(help: "A compute job: the kernel's name.")
    var kernel: String?

    @Option(
        parsing: .unconditional,
        help: "The kernel's input, JSON, or the command's; @FILE, or - for standard input."
    )
    var input: String?

    @Option(help: "Into how many parts the kernel's work is divided.")
    var parts: Int64?

    @Flag(help: "A command job: a program that the settings allow, and its arguments, after --.")
    var command = false

    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("A variable of the command's environment.", valueName: "name=value")
    )
    var env: [String] = []

    private var hasSQLDetails: Bool {
        database != nil || !param.isEmpty || !named.isEmpty || each != nil || mode != nil
            || format != nil
    }

    var hasDetails: Bool { hasSQLDetails || input != nil || parts != nil || !env.isEmpty }

    func validate() throws {
        if sql == nil && hasSQLDetails {
            throw ValidationError(
                "--database, --param, --named, --each, --mode and --format go with --sql."
            )
        }
        if each != nil && !(param.isEmpty && named.isEmpty) {
            throw ValidationError("Use either --each, for many rows, or --param and --named.")
        }
        if kernel == nil && (parts != nil || (input != nil && !command)) {
            throw ValidationError("--input and --parts go with --kernel.")
        }
        if !command && !env.isEmpty { throw ValidationError("--env goes with --command.") }
    }

    /// The words are those of a command.
    func job(_ words: [String] = []) throws -> NewJob {
        if command { return try commandJob(words) }
        guard let kernel else {
            let parameters = try Values.parameters(positional: param, named: named)
            var job = NewJob(.sql(sql ?? "", parameters: parameters))
            if let each {
                job.each = ["$frame": 2]
                job.frames = [try Values.contents(ofFile: each)]
            }
            job.database = database
            job.mode = mode
            job.format = format
            return job
        }
        var job = NewJob(.kernel(kernel, input: try input.map(Values.input) ?? .null))
        job.parts = parts
        return job
    }

    /// Input that is no text goes in a frame of its own.
    private func commandJob(_ words: [String]) throws -> NewJob {
        var job = NewJob(.command(words, environment: try Values.named(env)))
        guard let bytes = try input.map(Values.bytes) else { return job }
        let text = String(validating: bytes, as: UTF8.self)
        let value: JSON = text.map(JSON.string) ?? ["$frame": 2]
        job.work = .command(words, environment: try Values.named(env), input: value)
        if text == nil { job.frames = [bytes] }
        return job
    }
}

/// When and how often the job runs, and by what it is known.
struct TermsOptions: ParsableArguments {
    @Option(help: "The queue; default unless told.")
    var queue: String?

    @Option(parsing: .unconditional, help: "From -100 to 100; higher first.")
    var priority: Int64?

    @Option(help: "How long one attempt may take, such as 10m.")
    var timeout: Pause?

    @Option(help: "How often a failing job is run in all.")
    var maxAttempts: Int64?

    @Option(help: "How long the job waits before it may start, such as 2h.")
    var delay: Pause?

    @Option(help: "A job that must end first, by its number; can be given several times.")
    var after: [Int64] = []

    @Option(help: "When one of those does not succeed: fail or run; fail unless told.")
    var onFailure: String?

    @Option(help: "The same key and the same job again give the same number and run nothing.")
    var key: String?

    @Option(help: "For people.")
    var name: String?

    @Option(help: "For people; can be given several times.")
    var tag: [String] = []

    var isEmpty: Bool {
        queue == nil && priority == nil && timeout == nil && maxAttempts == nil && delay == nil
            && key == nil && name == nil && tag.isEmpty && after.isEmpty && onFailure == nil
    }

    func apply(to job: inout NewJob) {
        job.queue = queue
        job.priority = priority
        job.timeoutMs = timeout?.ms
        job.maxAttempts = maxAttempts
        job.delayMs = delay?.ms
        job.after = after.map(JobID.init(rawValue:))
        job.onFailure = onFailure
        job.key = key
        job.name = name
        job.tags = tag
    }
}
