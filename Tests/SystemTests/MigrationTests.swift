import Foundation
import JobTesting
import JobWire
import SQLite
import Testing

/// A new version that is killed while it brings an old store up to date.
@Suite struct MigrationKillTests {
    private func makeOldStore(in directory: String) throws -> String {
        let fixture = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "JobStorageTests/Fixtures/store-1.sql")
        let path = directory + "/old.db"
        let connection = try Connection(path: path, mode: .create)
        try connection.execute(script: String(contentsOf: fixture, encoding: .utf8))
        return path
    }

    /// The kernel kills the runner at its nth write into the log.
    @Test(arguments: [1, 2, 3, 5, 8, 13])
    func `a kill in the middle leaves the old store or the new one`(write: Int) throws {
        let home = try TemporaryDirectory()
        let state = home.path + "/state"
        try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
        let store = state + "/millrace.db"
        try FileManager.default.copyItem(atPath: makeOldStore(in: home.path), toPath: store)
        let killed = try Command(
            ["serve", "--no-supervise", "--listen", "ipc://\(home.path)/socket"],
            state: state,
            in: home.path,
            wrapper: [
                "/usr/bin/strace", "-f", "-o", "/dev/null", "-P", store + "-wal", "-e",
                "trace=pwrite64",
                "-e", "inject=pwrite64:signal=KILL:when=\(write)",
            ]
        )
        #expect(killed.code == 137)
        let file = try Connection(path: store, mode: .readWrite)
        let version = try file.row("PRAGMA user_version")
        #expect(version == [.integer(1)] || version == [.integer(4)])
        #expect(try file.row("PRAGMA integrity_check") == [.text("ok")])
        #expect(try file.row("SELECT count(*) FROM jobs") == [.integer(12)])

        var options = RunnerProcess.Options()
        options.store = store
        try file.checkpoint(.truncate)
        let runner = try RunnerProcess(options)
        let client = try Conversation(runner.ipc)
        #expect(
            try client.result(1).text == #"{"columns":["answer"],"rows":[[42]],"changes":0}"#
        )
        #expect(try client.result(4).text == #"{"count":168,"largest":997}"#)
        #expect(try client.ask("queue.resume", #"{"queue":"late"}"#).code == "200")
        #expect(try client.result(10).text == #"{"columns":["one"],"rows":[[1]],"changes":0}"#)
    }
}
