import Foundation
import JobTesting
import JobWire
import SQLite
import Testing

/// Backups under load, and what comes of them when they are restored.
@Suite(.serialized) struct BackupTests {
    private func mode(of path: String) throws -> Int {
        let found = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
        return try #require(found as? Int)
    }

    /// Backups of one store: of each, all that was promised before it is read back.
    private static let backupsEach = 5

    @Test func `every backup under load is complete up to one moment, and runs on`() throws {
        let row = FaultRow("backup", count: 5)
        let broken = try row.run("backups under load, restored") { tally in
            var (acknowledged, readBack) = (0, 0)
            while tally.tried < row.count {
                let runner = try RunnerProcess()
                let load = try Load(Conversation(dealer: runner.ipc))
                for _ in 0..<min(Self.backupsEach, row.count - tally.tried) {
                    readBack += try tryOnce(runner, load)
                    tally.tried += 1
                }
                acknowledged += load.ends.count
            }
            tally.notes = ["\(acknowledged) jobs acknowledged", "\(readBack) times one read back"]
        }
        #expect(broken.isEmpty, "\(broken)")
    }

    /// - Returns: How many jobs were read back.
    private func tryOnce(_ runner: RunnerProcess, _ load: Load) throws -> Int {
        let goal = load.ends.count + 100
        while load.ends.count < goal { try load.goOn() }
        let promised = load.ends
        let file = "\(runner.directory.path)/\(UUID()).db"
        let backup = try Command.start(
            ["backup", file],
            state: runner.state,
            in: runner.directory.path
        )
        while (try? backup.waitForEnd(within: .zero)) == nil { try load.goOn() }
        try #require(try backup.waitForEnd() == 0, "\(backup.errors)")
        #expect(try mode(of: file) == 0o600)
        try check(file, promised, load.submitted)
        try FileManager.default.removeItem(atPath: file)
        return promised.count
    }

    /// Restores it as the documents say.
    private func check(_ file: String, _ promised: [Int64: Bool], _ submitted: Int) throws {
        var options = RunnerProcess.Options()
        options.store = file
        let restored = try RunnerProcess(options)
        let client = try Conversation(restored.ipc)
        let counts = try client.ask("sys.stats")["counts"]
        let total = jobs(in: counts)
        // Ids come in the order of the commits: nothing may be missing below one that is there.
        #expect(try client.show(total).code == "200")
        #expect(try client.show(total + 1).code != "200")
        #expect(total >= promised.keys.max() ?? 0)
        #expect(total <= Int64(submitted))
        for (id, hadEnded) in promised {
            if hadEnded { #expect(try client.show(id).state == "succeeded") }
            #expect(try client.result(id).text == "\(id)")
        }
        let more = try client.submit(#"{"kernel":"echo","input":"more"}"#)
        #expect(more > total)
        #expect(try client.result(more).text == #""more""#)
    }

    private func jobs(in counts: JSON?) -> Int64 {
        ["queued", "running", "succeeded", "failed", "cancelled"].reduce(0) {
            $0 + (counts?[$1]?.integerValue ?? 0)
        }
    }

    @Test func `a backup tells what it made, marks it, and replaces nothing`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        let id = try client.submit(#"{"kernel":"echo","input":"kept"}"#)
        #expect(try client.result(id).text == #""kept""#)
        let file = runner.directory.path + "/backup.db"
        let made = try runner.command("backup", file, "--json")
        #expect(made.code == 0, "\(made.errors)")
        #expect(made.errors == "")
        #expect(try made.json["jobs"] == 1)
        let bytes = try #require(FileManager.default.contents(atPath: file))
        #expect(try made.json["bytes"]?.integerValue == Int64(bytes.count))
        let copy = try Connection(path: file, mode: .readOnly)
        #expect(try copy.row("SELECT is_backup FROM identity") == [.integer(1)])
        let store = try Connection(path: runner.state + "/millrace.db", mode: .readOnly)
        #expect(try store.row("SELECT is_backup FROM identity") == [.integer(0)])

        let again = try runner.command("backup", file)
        #expect(again.code == 1)
        #expect(again.errors.contains("\(file) is there already and was left as it is."))
        #expect(FileManager.default.contents(atPath: file) == bytes)
        let people = try runner.command("backup", runner.directory.path + "/other.db")
        #expect(people.output.hasPrefix("\(runner.directory.path)/other.db: 1 job in "))
        // Nothing but whole backups is left.
        let left = try FileManager.default.contentsOfDirectory(atPath: runner.directory.path)
        #expect(left.filter { $0.hasSuffix(".partial") }.isEmpty)
        #expect(left.filter { $0.contains("backup.db") } == ["backup.db"])
    }

    @Test func `a backup needs a store, a directory and room`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path
        let none = try Command(["backup", path + "/a.db"], state: path, in: path)
        #expect(none.code == 1)
        #expect(none.errors.contains("There is no job store \(path)/millrace.db."))
        #expect(!FileManager.default.fileExists(atPath: path + "/millrace.db"))

        let runner = try RunnerProcess()
        let nowhere = try runner.command("backup", path + "/no/a.db")
        #expect(nowhere.code != 0)
        #expect(nowhere.errors.contains("No such file or directory"))
        // A limit on the size of files stands for a full disk: SQLite hears EFBIG.
        let narrow = try Command(
            ["backup", path + "/a.db"],
            state: runner.state,
            in: runner.directory.path,
            wrapper: ["/usr/bin/prlimit", "--fsize=20000"]
        )
        #expect(narrow.code != 0)
        let left = try FileManager.default.contentsOfDirectory(atPath: path)
        #expect(left.filter { $0.contains("a.db") }.isEmpty, "\(left)")
    }

    @Test func `a backup that is told to stop leaves nothing`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        let job = #"{"kernel":"echo","input":"\#(String(repeating: "x", count: 1_000))"}"#
        let batch = Array(repeating: job, count: 5_000).joined(separator: ",")
        for _ in 0..<4 {
            #expect(try client.ask("job.submit", #"{"jobs":[\#(batch)]}"#).code == "200")
        }
        let home = try TemporaryDirectory()
        let backup = try Command.start(
            ["backup", home.path + "/a.db"],
            state: runner.state,
            in: runner.directory.path
        )
        func begun() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: home.path)
        }
        _ = try eventually("the backup begins") { try begun().isEmpty ? nil : true }
        backup.signal(SIGTERM)
        // On a fast machine it may have been done before.
        if try backup.waitForEnd() == 0 {
            #expect(try begun() == ["a.db"])
        } else {
            #expect(try begun().isEmpty)
        }
    }
}

/// One client that submits as fast as it is answered, and what it was told.
private final class Load {
    private let client: Conversation
    private var unanswered = 0
    private(set) var submitted = 0
    /// Acknowledged ids, and whether the job's result was heard.
    private(set) var ends: [Int64: Bool] = [:]

    init(_ client: Conversation) { self.client = client }

    /// A job's input is the number that it will have.
    func goOn() throws {
        while unanswered < 64 {
            submitted += 1
            unanswered += 1
            try client.say("job.submit", #"{"kernel":"echo","input":\#(submitted)}"#)
        }
        while let said = try client.hearIfAny(within: .milliseconds(1)) { try hear(said) }
    }

    private func hear(_ said: Said) throws {
        switch said.service {
        case "job.submit":
            unanswered -= 1
            guard said.code == "200" else { throw NeverHappened("accepted: \(said.head)") }
            ends[said.id] = false
            if said.id.isMultiple(of: 5) { try client.say("job.result", #"{"id":\#(said.id)}"#) }
        default: if said.code == "200" { ends[said.id] = true }
        }
    }
}
