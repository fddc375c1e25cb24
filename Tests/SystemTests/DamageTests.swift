import Foundation
import JobTesting
import JobWire
import SQLite
import Testing

/// A damaged store and the built program: it says so, and does not try for ever.
@Suite(.serialized) struct StoreDamageTests {
    private func stopped(_ runner: RunnerProcess) throws {
        runner.process.signal(SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)
    }

    private func change(_ path: String, _ change: (inout Data) -> Void) throws {
        var bytes = try Data(contentsOf: URL(filePath: path))
        change(&bytes)
        try bytes.write(to: URL(filePath: path))
    }

    /// A runner that has worked and stopped, and where its store is.
    private func used() throws -> (RunnerProcess, String) {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        for number in 1...50 {
            _ = try client.submit(#"{"kernel":"echo","input":\#(number)}"#)
        }
        #expect(try client.result(50).text == "50")
        try stopped(runner)
        let store = runner.state + "/millrace.db"
        // Whoever closes it last brings home what lies in the log.
        let last = try Connection(path: store, mode: .readWrite)
        _ = try last.row("SELECT count(*) FROM jobs")
        #expect(try last.checkpoint(.truncate).logged == 0)
        return (runner, store)
    }

    @Test(arguments: ["foreign", "text", "empty", "short", "zeros", "newer"])
    func `a start on what is no sound store ends with a sentence`(kind: String) throws {
        let (runner, store) = try used()
        switch kind {
        case "foreign":
            try FileManager.default.removeItem(atPath: store)
            let other = try Connection(path: store, mode: .create)
            try other.run("CREATE TABLE mine (a)")
        case "text": try Data("This is a letter. ".utf8).write(to: URL(filePath: store))
        case "empty": try Data().write(to: URL(filePath: store))
        case "short": try change(store) { $0 = $0.prefix(4_096) }
        case "zeros": try change(store) { $0.resetBytes(in: 4_096..<$0.count) }
        default:
            let other = try Connection(path: store, mode: .readWrite)
            try other.run("PRAGMA user_version = 99")
        }
        let again = try runner.rival()
        #expect(try again.waitForEnd() == 65, "\(again.output)\(again.errors)")
        #expect(again.errors.contains(store), "\(again.errors)")
        let doctor = try runner.command("doctor")
        #expect(doctor.code == 1, "\(doctor.output)")
        #expect(doctor.output.contains("BAD"))
    }

    @Test func `damage under a running store ends in an error, and the next start says so`() throws
    {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        let id = try client.submit(#"{"kernel":"echo","input":1}"#)
        #expect(try client.result(id).text == "1")
        let store = runner.state + "/millrace.db"
        // All of it lies in the log; then the log and the database are overwritten with noise.
        for path in [store + "-wal", store] {
            let file = try FileHandle(forWritingTo: URL(filePath: path))
            try file.seek(toOffset: 0)
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
            try file.write(contentsOf: Data(repeating: 0xA5, count: size))
            try file.close()
        }
        // Its child is started again once, finds the damage, and that is the end.
        let worker = try runner.worker()
        kill(worker, SIGKILL)
        #expect(try runner.process.waitForEnd() == 65, "\(runner.process.errors)")
        #expect(runner.process.errors.contains(store))
    }

    @Test func `doctor finds a sound store sound, with and without a runner`() throws {
        let (runner, store) = try used()
        for full in [[], ["--full"]] {
            let found = try Command(
                ["doctor", "--json"] + full,
                state: runner.state,
                in: runner.directory.path
            )
            #expect(found.code == 0, "\(found.output)")
            let subjects = try found.json.arrayValue?.compactMap { $0["subject"]?.stringValue }
            let expected = ["runner", "permissions", "room", "log", "pages", "rows", "counters"]
            #expect(subjects == expected + (full.isEmpty ? [] : ["sums"]))
            #expect(found.output.contains("No runner is at work."))
        }
        try runner.restart()
        let beside = try runner.command("doctor")
        #expect(beside.code == 0, "\(beside.output)")
        #expect(beside.output.contains("A runner is at work."))
        try stopped(runner)

        let connection = try Connection(path: store, mode: .readWrite)
        try connection.run("UPDATE queues SET succeeded = 7")
        try connection.run("DELETE FROM results WHERE job_id = 3")
        try connection.run("UPDATE results SET body = x'39' WHERE job_id = 5")
        chmod(store, 0o644)
        let ill = try runner.command("doctor", "--full")
        #expect(ill.code == 1)
        for words in [
            "\(store) is open to others (mode 644)", "job 3 succeeded and has no result",
            "queue default has 50 jobs succeeded, and its counter says 7",
            "the result of job 5 is not as it was written",
        ] {
            #expect(ill.output.contains(words), "\(words): \(ill.output)")
        }
    }
}
