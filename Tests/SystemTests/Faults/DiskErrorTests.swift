import Foundation
import JobTesting
import Testing

/// The disk fails in the middle of a commit. Nothing is acknowledged that was not synced, the
/// process ends rather than go on with a cache that may lie, and the next one has all that was
/// acknowledged.
@Suite(.serialized) struct DiskErrorTests {
    /// What fails, and up to which of the writer's calls of that name.
    private static let calls: [(name: String, most: Int)] = [
        ("fdatasync", 8), ("pwrite64", 30), ("fdatasync", 40), ("pwrite64", 120),
    ]

    @Test func `an error of the disk acknowledges nothing, and the next run has the rest`() throws {
        let row = FaultRow("io-error", count: 5)
        let broken = try row.run("EIO on a write or sync of the store") { tally in
            var generator = SeededGenerator(seed: row.seed)
            let runner = try RunnerProcess()
            var acknowledged: [Int64: Int] = [:]
            var refusals = 0
            for trial in 0..<row.count {
                let call = Self.calls[trial % Self.calls.count]
                let when = Int.random(in: 1...call.most, using: &generator)
                let trace = try Trace(
                    of: runner,
                    named: "trace\(trial)",
                    failing: call.name,
                    at: when
                )
                let lives = runner.readyCount
                let client = try Conversation(runner.tcp)
                let worker = try runner.worker()
                var n = 0
                while isAlive(worker) && n < 1_000 {
                    n += 1
                    let number = trial * 1_000 + n
                    guard let said = try client.askUnlessGone(number, worker) else { break }
                    if said.code == "200" { acknowledged[said.id] = number } else { refusals += 1 }
                    if said.code != "200" && said.code != "503" {
                        tally.broken.append("Answered \(said.code): \(said.head)")
                    }
                }
                try runner.waitForEnd(of: worker)
                try trace.process.waitForEnd()
                tally.tried += 1
                tally.broken += try trace.findings(within: "\(call.name) \(when)")
                try runner.waitUntilReady(times: lives + 1)
            }
            let client = try Conversation(runner.ipc)
            for (id, number) in acknowledged {
                let said = try client.result(id)
                if said.text != "\(number)" { tally.broken.append("Job \(id): \(said.head)") }
            }
            tally.notes.append("\(acknowledged.count) jobs acknowledged, \(refusals) refused")
        }
        #expect(broken.isEmpty, "\(broken.prefix(10))")
    }
}

/// A strace of the process that does the work, which makes one of its calls fail. The supervisor
/// and the next process are spared.
private struct Trace {
    let process: ChildProcess
    private let path: String

    init(of runner: RunnerProcess, named name: String, failing call: String, at when: Int) throws {
        path = "\(runner.directory.path)/\(name)"
        process = try ChildProcess(
            Strace.path(),
            [
                "-f", "-yy", "-s", "200", "-o", path, "-p", "\(runner.worker())", "-e",
                "trace=pwrite64,fdatasync,fsync,sendto,sendmsg,write,writev,recvfrom,recvmsg,read",
                "-e", "inject=\(call):error=EIO:when=\(when)",
            ],
            environment: RunnerProcess.environment,
            directory: runner.directory.path
        )
        let process = process
        try eventually("strace is attached: \(process.errors)") { () -> Void? in
            process.errors.contains("attached") ? () : nil
        }
    }

    /// Acknowledgements that left without a sync, and whether the fault came at all.
    func findings(within fault: String) throws -> [String] {
        let text = try String(contentsOfFile: path, encoding: .isoLatin1)
        var trace = SyncTrace()
        for line in text.split(separator: "\n") { trace.read(String(line)) }
        var found = trace.early.map { "\(fault): acknowledged without a sync: \($0)" }
        if !text.contains("(INJECTED)") { found.append("\(fault): the error never came.") }
        return found
    }
}

extension Conversation {
    /// Submits a job that gives the number back, and waits for the answer as long as the process
    /// lives that should give it.
    fileprivate func askUnlessGone(_ number: Int, _ process: pid_t) throws -> Said? {
        try say("job.submit", #"{"kernel":"echo","input":\#(number)}"#)
        return try eventually("an answer comes, or the process ends") { () -> Said?? in
            if let said = try hearIfAny(within: .milliseconds(20)) { return .some(said) }
            return isAlive(process) ? nil : .some(nil)
        }
    }
}
