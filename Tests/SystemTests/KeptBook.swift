import JobTesting
import JobWire
import Testing

/// A client that submits without end and keeps book, outside of the runner, of all that it was
/// promised and told. What it never got an answer to it sends again under the same key.
final class KeptBook {
    /// Number `n` of the jobs that it submits: what it asks, and what must come of it.
    struct Work {
        let n: Int

        var key: String { "n\(n)" }
        /// One in five writes a row with its number into the user's table.
        var writes: Bool { n % 5 == 3 }

        var body: String {
            switch n % 5 {
            case 0: #""kernel":"sum","input":{"numbers":[\#(n),0.5]}"#
            case 1: #""sql":"select ? * 3 as x","params":[\#(n)]"#
            case 2: #""kernel":"sleep","input":{"ms":15}"#
            case 4: #""kernel":"primes","input":{"below":20000},"parts":4"#
            default:
                #""sql":"insert into marks values (?) returning n","params":[\#(n)],"#
                    + #""database":"user","mode":"write""#
            }
        }

        var result: String {
            switch n % 5 {
            case 0: #"{"sum":\#(n).5,"count":2}"#
            case 1: #"{"columns":["x"],"rows":[[\#(n * 3)]],"changes":0}"#
            case 2: #"{"slept_ms":15}"#
            case 4: #"{"count":2262,"largest":19997}"#
            default: #"{"columns":["n"],"rows":[[\#(n)]],"changes":1"#
            }
        }
    }

    private var client: Conversation
    private var generator: SeededGenerator
    private var next = 0
    /// Submissions on their way, by request name: the numbers of their jobs.
    private var unanswered: [String: [Int]] = [:]
    /// Submissions that a kill left without an answer.
    private var unknown: [[Int]] = []
    /// Ids of acknowledged jobs, by number.
    private(set) var acknowledged: [Int: Int64] = [:]
    private var numbers: [Int64: Int] = [:]
    /// Results that were read once.
    private var read: [Int64: String] = [:]
    private(set) var problems: [String] = []
    /// Set while the runner may refuse work because it stops; what it refused is sent again.
    var mayBeRefused = false
    private(set) var refusals = 0
    private var runningSeen = 0
    /// How many jobs of each name there were at the last look at the list.
    private(set) var names: [String: Int] = [:]
    /// Attempts that failed or were lost, of all jobs in that list.
    private(set) var pastAttempts = 0
    /// Ids to ask for, in the order of their acknowledgement.
    private var known: [Int64] = []

    init(_ client: Conversation, seed: UInt64) {
        self.client = client
        generator = SeededGenerator(seed: seed)
    }

    var unansweredCount: Int { unanswered.count }

    func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

    /// After a kill: nobody answers any more what was sent to the last run.
    func reconnect(_ client: Conversation) {
        self.client = client
        unknown += unanswered.values
        unanswered = [:]
    }

    // MARK: Talking

    func submit() throws {
        if let again = unknown.popLast() { return try send(again) }
        let count = below(10) == 0 ? 20 : 1
        try send(Array(next..<next + count))
        next += count
    }

    private func send(_ jobs: [Int]) throws {
        let name = "s\(jobs[0])"
        unanswered[name] = jobs
        let bodies = jobs.map { #"{\#(Work(n: $0).body),"key":"\#(Work(n: $0).key)"}"# }
        try client.say(
            "job.submit",
            #"{"request":"\#(name)","jobs":[\#(bodies.joined(separator: ","))]}"#
        )
    }

    /// Asks for the result of any acknowledged job, done or not.
    func peek() throws {
        guard let id = known.randomElement(using: &generator) else { return }
        try client.say("job.result", #"{"id":\#(id)}"#)
    }

    /// Takes in the answers that are there, and waits a moment for the first.
    func listen(within limit: Duration = .zero) throws {
        guard let said = try client.hearIfAny(within: limit) else { return }
        hear(said)
        while let said = try client.hearIfAny() { hear(said) }
    }

    /// How many jobs run, as the runner says; answers that come meanwhile are taken in.
    func running() throws -> Int {
        runningSeen = -1
        try client.say("sys.stats")
        while runningSeen < 0 { hear(try client.hear()) }
        return runningSeen
    }

    private func hear(_ said: Said) {
        switch said.service {
        case "job.submit": accepted(said)
        case "job.result": if said.code == "200" { compare(said) }
        default:
            let workers = said["workers"]?.arrayValue ?? []
            runningSeen = workers.count { $0["job"] != nil }
        }
        if said.code == "503" && mayBeRefused { return refused(said) }
        if said.code.first != "2" && said.code != "300" {
            problems.append("\(said.service) was answered \(said.code): \(said.head)")
        }
    }

    private func refused(_ said: Said) {
        refusals += 1
        guard let jobs = unanswered.removeValue(forKey: said["request"]?.stringValue ?? "") else {
            return
        }
        unknown.append(jobs)
    }

    private func accepted(_ said: Said) {
        guard said.code == "200", let name = said["request"]?.stringValue,
            let jobs = unanswered.removeValue(forKey: name)
        else { return }
        for (n, id) in zip(jobs, said.ids) {
            acknowledged[n] = id
            if id > 0 { known.append(id) }
            if let other = numbers.updateValue(n, forKey: id), other != n, id > 0 {
                problems.append("The id \(id) belongs to two jobs.")
            }
        }
    }

    private func compare(_ said: Said) {
        guard let n = numbers[said.id] else { return }
        let text = said.text ?? "none: \(said.head)"
        if !text.hasPrefix(Work(n: n).result) {
            problems.append("Job \(said.id) gave \(text), not \(Work(n: n).result).")
        }
        if let before = read.updateValue(text, forKey: said.id), before != text {
            problems.append("The result of job \(said.id) was \(before) and is \(text).")
        }
    }

    // MARK: Settling accounts

    /// Sends again what is open, until everything is acknowledged.
    func settle() throws {
        while !unknown.isEmpty { try submit() }
        while !unanswered.isEmpty { hear(try client.hear()) }
    }

    /// Compares the book with what the runner knows: every job that was acknowledged is there.
    func compareWithList() throws {
        var kept: [String: Int64] = [:]
        names = [:]
        pastAttempts = 0
        var after = ""
        while true {
            try client.say("job.list", #"{"limit":1000\#(after)}"#)
            let said = try nextReply(from: "job.list")
            for job in said["jobs"]?.arrayValue ?? [] {
                if let name = job["name"]?.stringValue { names[name, default: 0] += 1 }
                pastAttempts += job["attempts"]?.arrayValue?.count ?? 0
                guard let key = job["key"]?.stringValue, let id = job["id"]?.integerValue else {
                    continue
                }
                if kept.updateValue(id, forKey: key) != nil {
                    problems.append("\(key) is there twice.")
                }
            }
            guard let next = said["next"]?.integerValue else { break }
            after = #","after":\#(next)"#
        }
        for (n, id) in acknowledged {
            guard let found = kept[Work(n: n).key] else {
                problems.append("Job \(n) was acknowledged and is gone.")
                continue
            }
            if id > 0 && found != id { problems.append("Job \(n) was \(id) and is \(found).") }
        }
    }

    /// Waits for the end of all jobs and reads every result.
    func readAll() throws {
        let ids = acknowledged.values.sorted()
        for start in stride(from: 0, to: ids.count, by: 500) {
            let some = ids[start..<min(start + 500, ids.count)].map(String.init)
            try eventually("all jobs end", within: .seconds(120)) { () -> Void? in
                let list = some.joined(separator: ",")
                try client.say("job.wait", #"{"ids":[\#(list)],"wait_ms":20000}"#)
                return try nextReply(from: "job.wait").code == "200" ? () : nil
            }
        }
        for id in ids {
            try client.say("job.result", #"{"id":\#(id)}"#)
            let said = try nextReply(from: "job.result")
            if said.state != "succeeded" { problems.append("Job \(id): \(said.head)") }
            compare(said)
        }
    }

    private func nextReply(from service: String) throws -> Said {
        while true {
            let said = try client.hear()
            if said.service == service { return said }
            hear(said)
        }
    }
}
