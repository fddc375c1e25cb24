import Foundation
import JobTesting
import JobWire
import SQLite
import Testing

/// A disk that is full, has no more files, or may not be written: clients are told, reading goes
/// on, and all is well again without a restart.
///
/// The disk is a tmpfs. The runner lives in a mount namespace of its own (`unshare`), with a user
/// namespace where the test is not root; the test reaches that disk through /proc.
@Suite(.serialized) struct DiskTests {
    /// A runner whose state directory is a disk of its own.
    private struct OnDisk {
        let runner: RunnerProcess
        /// It, as the namespace's only process.
        let inside: pid_t
        let client: Conversation

        init(_ mountOptions: String) throws {
            var options = RunnerProcess.Options()
            options.supervised = false
            let mount =
                "mkdir -p @/state && mount -t tmpfs -o mode=700,\(mountOptions) none @/state"
            options.wrapper =
                DiskTests.namespace + ["/bin/sh", "-c", mount + " && exec \"$@\"", "sh"]
            runner = try RunnerProcess(options)
            inside = runner.process.pid
            client = try Conversation(runner.tcp)
        }

        var state: String { "/proc/\(inside)/root\(runner.state)" }

        func remount(_ options: String) throws {
            let words = ["/usr/bin/nsenter", "--target", "\(inside)", "--mount"]
            let user = geteuid() == 0 ? [] : ["--user", "--preserve-credentials"]
            let process = try ChildProcess(
                words[0],
                Array(words.dropFirst()) + user
                    + ["mount", "-o", "remount,\(options)", runner.state],
                environment: RunnerProcess.environment,
                directory: runner.directory.path
            )
            let code = try process.waitForEnd()
            guard code == 0 else { throw NeverHappened("remounted: \(process.errors)") }
        }

        func submit() throws -> Said {
            try client.ask(
                "job.submit",
                #"{"kernel":"digest","input":{"bytes":{"$frame":2}}}"#,
                frames: [[UInt8](repeating: 1, count: 1 << 20)]
            )
        }

        func submitSmall() throws -> Said {
            try client.ask("job.submit", #"{"kernel":"echo","input":1}"#)
        }

        /// All that must hold while nothing can be written, and afterwards.
        func check(_ code: String, kept: Int64, heal: () throws -> Void) throws {
            let refused = try eventually("a submission is refused") { () -> Said? in
                let said = try submit()
                return said.code == "200" ? nil : said
            }
            #expect(refused.code == "503", "\(refused.head)")
            #expect(refused.errorCode == code)
            #expect(try client.result(kept).text == #""kept""#)
            #expect(try client.ask("sys.ping").code == "200")
            let run = try client.run
            let alarms = try client.ask("sys.stats")["alarms"]?.arrayValue ?? []
            #expect(!alarms.isEmpty)
            try heal()
            let accepted = try eventually("submissions are taken again") { () -> Said? in
                let said = try submitSmall()
                return said.code == "200" ? said : nil
            }
            #expect(try client.result(accepted.id).text == "1")
            #expect(try client.run == run, "It was not started again.")
            #expect(try client.result(kept).text == #""kept""#)
        }

        func keep() throws -> Int64 {
            let id = try client.submit(#"{"kernel":"echo","input":"kept"}"#)
            #expect(try client.result(id).text == #""kept""#)
            return id
        }
    }

    private static let namespace =
        geteuid() == 0
        ? ["/usr/bin/unshare", "--mount", "--propagation", "private"]
        : ["/usr/bin/unshare", "--user", "--map-root-user", "--mount"]

    @Test func `a full disk`() throws {
        let disk = try OnDisk("size=12m")
        let kept = try disk.keep()
        try disk.check("disk_full", kept: kept) { try disk.remount("size=200m") }
    }

    @Test func `a disk that is full of other files`() throws {
        let disk = try OnDisk("size=12m")
        let kept = try disk.keep()
        let filler = disk.state + "/filler"
        #expect(FileManager.default.createFile(atPath: filler, contents: nil))
        let file = try FileHandle(forWritingTo: URL(filePath: filler))
        for _ in 0..<12 { try? file.write(contentsOf: Data(repeating: 1, count: 1 << 20)) }
        try file.close()
        try disk.check("disk_full", kept: kept) {
            try FileManager.default.removeItem(atPath: filler)
        }
    }

    @Test func `a disk without room for one more file takes jobs all the same`() throws {
        // The store has all the files that it needs; the spool cannot take a file.
        let disk = try OnDisk("size=100m,nr_inodes=16")
        let kept = try disk.keep()
        var made = 0
        while FileManager.default.createFile(atPath: "\(disk.state)/\(made)", contents: nil) {
            made += 1
        }
        for _ in 0..<20 { #expect(try disk.submitSmall().code == "200") }
        #expect(try disk.client.result(kept).text == #""kept""#)
    }

    /// A disk cannot be made read-only while a runner has files open on it; only an error of the
    /// disk does that.
    @Test func `a start on a read-only disk ends with a sentence`() throws {
        let directory = try TemporaryDirectory()
        let state = directory.path + "/state"
        let mount = "mkdir \(state) && mount -t tmpfs -o ro none \(state) && exec \"$@\""
        let started = try Command(
            ["serve", "--state", state, "--listen", "tcp://127.0.0.1:*"],
            state: state,
            in: directory.path,
            wrapper: Self.namespace + ["/bin/sh", "-c", mount, "sh"]
        )
        #expect(started.code != 0)
        #expect(started.errors.contains("Read-only file system"), "\(started.errors)")
    }

    @Test func `a limit on the size of files ends the run, and loses nothing`() throws {
        var options = RunnerProcess.Options()
        options.supervised = false
        options.wrapper = ["/usr/bin/prlimit", "--fsize=8000000"]
        let runner = try RunnerProcess(options)
        let client = try Conversation(runner.ipc)
        let large = [UInt8](repeating: 1, count: 1 << 20)
        var accepted = 0
        // To a write of SQLite this is no full disk, which would heal, but an error of the disk.
        let code = try eventually("the limit is reached") { () -> Int32? in
            try client.say(
                "job.submit",
                #"{"kernel":"digest","input":{"bytes":{"$frame":2}}}"#,
                frames: [large]
            )
            while try runner.process.isAlive {
                guard let said = try client.hearIfAny(within: .milliseconds(20)) else { continue }
                #expect(said.code == "200")
                accepted += 1
                return nil
            }
            return try runner.process.waitForEnd()
        }
        #expect(code == 70, "\(runner.process.errors)")
        #expect(accepted > 0)
        let store = try Connection(path: runner.state + "/millrace.db", mode: .readOnly)
        let kept = try store.row("SELECT count(*) FROM jobs")
        #expect(kept == [.integer(Int64(accepted))] || kept == [.integer(Int64(accepted + 1))])
    }
}

extension ChildProcess {
    fileprivate var isAlive: Bool {
        get throws { (try? waitForEnd(within: .zero)) == nil }
    }
}
