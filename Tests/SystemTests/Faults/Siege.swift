import Glibc
import JobTesting
import JobWire
import SQLite
import Testing

/// A runner under load and the books that are kept of it outside, for faults of every kind.
final class Siege {
    /// Faults that one store goes through before a new one begins, so that the books stay small.
    private static let faultsEach = 50

    let runner: RunnerProcess
    let book: KeptBook
    let drops: KeptDrops
    /// From a fault until jobs were taken again.
    private(set) var outages: [Duration] = []

    init(
        seed: UInt64,
        _ options: RunnerProcess.Options = .init(),
        in directory: TemporaryDirectory? = nil
    ) throws {
        var options = options
        options.databases = ["user=@\(options.home)/user.db:write"]
        runner = try RunnerProcess(options, in: directory)
        let database = try Connection(path: runner.home + "/user.db", mode: .create)
        try database.run("PRAGMA journal_mode = WAL")
        try database.run("CREATE TABLE marks (n INTEGER NOT NULL)")
        book = try KeptBook(Conversation(dealer: runner.ipc), seed: seed)
        drops = KeptDrops(in: runner.spool)
    }

    /// As many faults as the row asks for, each by `strike`, which tells whether it counts; after
    /// every fifty the accounts are settled and a new store begins.
    static func campaign(
        _ row: FaultRow,
        _ tally: FaultTally,
        begin: (UInt64) throws -> Siege = { try Siege(seed: $0) },
        strike: (Siege) throws -> Bool
    ) throws {
        var (seed, jobs, outages) = (row.seed, 0, [Duration]())
        while tally.tried < row.count {
            let siege = try begin(seed)
            let goal = min(row.count, tally.tried + faultsEach)
            while tally.tried < goal {
                if try strike(siege) { tally.tried += 1 }
            }
            tally.broken += try siege.reckon().map { "seed \(seed): \($0)" }
            jobs += siege.book.acknowledged.count
            outages += siege.outages
            seed &+= 1
        }
        outages.sort()
        tally.notes.append("\(jobs) jobs acknowledged")
        if let longest = outages.last {
            tally.notes.append(
                "back after \(outages[outages.count / 2].inMs) ms, at most \(longest.inMs) ms"
            )
        }
    }

    // MARK: Load

    /// Load for a while and then a burst of submissions, so that a fault finds some of them
    /// unanswered while jobs run.
    ///
    /// - Returns: False when that could not be had.
    func press() throws -> Bool {
        let goal = book.acknowledged.count + 20 + book.below(100)
        while book.acknowledged.count < goal { try stir() }
        guard try book.running() > 0 else { return false }
        for _ in 0..<5 + book.below(40) { try book.submit() }
        // A random part of the answers is heard.
        for _ in 0..<book.below(200) { try book.listen() }
        return true
    }

    /// Load and many files until a fault has come, or for three hundred jobs.
    func rage(until isOver: () -> Bool) throws {
        let goal = book.acknowledged.count + 300
        let files = drops.count
        while book.acknowledged.count < goal && !isOver() {
            try stir()
            if drops.count < files + 10 { try drops.drop() }
        }
    }

    /// One step of a client that submits as fast as it is answered.
    func stir() throws {
        guard book.unansweredCount < 16 else { return try book.listen(within: .milliseconds(1)) }
        try book.submit()
        if book.below(3) == 0 { try book.peek() }
        if book.below(40) == 0 { try drops.drop() }
        try book.listen()
    }

    /// Load, the fault, and a new start. What was sent before the end may still be on its way, and
    /// counts.
    ///
    /// - Returns: Whether it counts: submissions were unanswered, and jobs ran.
    func strike(_ fault: () throws -> Void, andRestart restart: () throws -> Void) throws -> Bool {
        guard try press(), book.unansweredCount > 0 else { return false }
        try fault()
        try book.listen()
        let counts = book.unansweredCount > 0
        try comeBack(restart)
        return counts
    }

    /// Starts again what has ended, measures how long that takes, and goes on talking to it.
    func comeBack(_ restart: () throws -> Void) throws {
        let start = ContinuousClock.now
        try restart()
        outages.append(ContinuousClock.now - start)
        try book.reconnect(Conversation(dealer: book.below(2) == 0 ? runner.ipc : runner.tcp))
    }

    // MARK: Settling accounts

    /// Waits for the end of all work and compares the books with what is there.
    ///
    /// - Returns: The promises that were broken.
    func reckon() throws -> [String] {
        try book.settle()
        try drops.settle()
        try book.compareWithList()
        try book.readAll()
        try book.readAll()
        let counts = try Conversation(runner.ipc).ask("sys.stats")["counts"]
        let expected = Int64(book.acknowledged.count + drops.count)
        var problems = book.problems + drops.problems(by: book.names)
        if counts?["succeeded"]?.integerValue != expected || counts?["queued"] != 0
            || counts?["running"] != 0 || counts?["failed"] != 0
        {
            problems.append("The counts are \(String(describing: counts)), not \(expected).")
        }
        return problems + (try wrongMarks())
    }

    /// Jobs that write into a user's database do so exactly once.
    private func wrongMarks() throws -> [String] {
        let database = try Connection(path: runner.home + "/user.db", mode: .readOnly)
        let found = try database.prepare("SELECT n, count(*) FROM marks GROUP BY n").all {
            (Int($0.integer(0)), Int($0.integer(1)))
        }
        let counts = Dictionary(uniqueKeysWithValues: found)
        let writers = book.acknowledged.keys.filter { KeptBook.Work(n: $0).writes } + drops.marks
        var problems = writers.filter { counts[$0] != 1 }.sorted().map {
            "Job \($0) has ended, and wrote \(counts[$0, default: 0]) times."
        }
        if counts.count > writers.count { problems.append("Somebody else wrote.") }
        return problems
    }
}
