import Foundation
import Glibc
import JobTesting
import Testing

/// What systemd hears of a runner that it has started.
@Suite struct SystemdTests {
    private let directory: TemporaryDirectory
    private let systemd: NotifySocket

    init() throws {
        directory = try TemporaryDirectory()
        systemd = try NotifySocket(directory.path + "/notify")
    }

    private func start(
        _ socket: NotifySocket,
        watchdog: [String: String] = [:],
        supervised: Bool = false
    ) throws -> RunnerProcess {
        var options = RunnerProcess.Options()
        options.supervised = supervised
        options.environment = watchdog.merging(["NOTIFY_SOCKET": socket.name]) { $1 }
        return try RunnerProcess(options)
    }

    @Test(arguments: ["signal", "client"])
    func `it is told once that jobs are taken, and once that the runner stops`(by: String) throws {
        let runner = try start(systemd)
        let words = try systemd.hear()
        #expect(words.first == "READY=1")
        #expect(words.last == "STATUS=Takes jobs at \(runner.ipc), \(runner.tcp).")
        let client = try Conversation(runner.tcp)
        let job = try client.submit(#"{"kernel":"sleep","input":{"ms":300}}"#)
        try client.waitUntilRunning(job)
        #expect(systemd.hearIfAny() == nil)

        if by == "client" {
            #expect(try client.ask("sys.drain").code == "200")
        } else {
            runner.process.signal(SIGTERM)
        }
        #expect(try systemd.hear() == ["STOPPING=1", "STATUS=Lets the running jobs end."])
        #expect(try runner.process.waitForEnd() == 0)
        #expect(systemd.hearIfAny() == nil)
    }

    @Test func `its socket may be a name without a file`() throws {
        let socket = try NotifySocket("@millrace-\(UUID())")
        let runner = try start(socket)
        #expect(try socket.hear().first == "READY=1")
        runner.process.signal(SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)
    }

    @Test(arguments: ["nonsense", "/nowhere/at/all", "/" + String(repeating: "n", count: 200), "@"])
    func `a runner starts also when it cannot be told`(name: String) throws {
        var options = RunnerProcess.Options()
        options.supervised = false
        options.environment = ["NOTIFY_SOCKET": name, "WATCHDOG_USEC": "100000"]
        let runner = try RunnerProcess(options)
        #expect(try Conversation(runner.ipc).ask("sys.ping").code == "200")
        runner.process.signal(SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)
    }

    @Test func `an idle runner gives signs of life, and a stopped one none`() throws {
        let runner = try start(systemd, watchdog: ["WATCHDOG_USEC": "200000"])
        #expect(try systemd.hear().first == "READY=1")
        for _ in 0..<3 { #expect(try systemd.hear() == ["WATCHDOG=1"]) }

        runner.process.signal(SIGSTOP)
        let stat = "/proc/\(runner.process.pid)/stat"
        try eventually("it is stopped") { () -> Void? in
            try String(contentsOfFile: stat, encoding: .utf8).contains(") T ") ? () : nil
        }
        while systemd.hearIfAny() != nil {}
        #expect(systemd.hearIfAny(within: 1_000) == nil)
        runner.process.signal(SIGCONT)
        #expect(try systemd.hear() == ["WATCHDOG=1"])
    }

    @Test func `a runner whose commit hangs gives no sign of life, though it answers`() throws {
        let runner = try start(systemd, watchdog: ["WATCHDOG_USEC": "200000"])
        #expect(try systemd.hear().first == "READY=1")
        let disk = try ChildProcess(
            "/usr/bin/env",
            [
                "strace", "-f", "-p", "\(runner.process.pid)", "-e", "trace=fdatasync",
                "-e", "inject=fdatasync:delay_enter=60s",
            ],
            environment: RunnerProcess.environment,
            directory: directory.path
        )
        _ = try eventually("the disk is in our hands") {
            disk.errors.contains("attached") ? true : nil
        }
        let writer = try Conversation(dealer: runner.ipc)
        try writer.say("job.submit", #"{"kernel":"echo","input":1}"#)
        let client = try Conversation(runner.ipc)
        _ = try eventually("no sign of life is given for a second") {
            systemd.hearIfAny(within: 1_000) == nil ? true : nil
        }
        #expect(try client.ask("sys.ping").code == "200")
        #expect(try writer.hearIfAny() == nil)
        #expect(runner.process.errors.contains("A commit hangs"))
        runner.process.signal(SIGKILL)
        disk.signal(SIGTERM)
    }

    @Test(arguments: [[:], ["WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"]])
    func `who is not watched stays asleep`(watchdog: [String: String]) throws {
        let runner = try start(systemd, watchdog: watchdog)
        #expect(try systemd.hear().first == "READY=1")
        func wakeUps() throws -> Substring? {
            let path = "/proc/\(runner.process.pid)/status"
            return try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
                .first { $0.hasPrefix("voluntary_ctxt_switches") }
        }
        _ = try eventually("it sleeps for half a second") {
            let before = try wakeUps()
            #expect(systemd.hearIfAny(within: 500) == nil)
            return try wakeUps() == before ? true : nil
        }
    }

    @Test func `a supervised runner tells it as well, but gives no signs of life`() throws {
        let ours = ["WATCHDOG_USEC": "20000", "WATCHDOG_PID": "\(getpid())"]
        let runner = try start(systemd, watchdog: ours, supervised: true)
        #expect(try systemd.hear().first == "READY=1")
        #expect(systemd.hearIfAny(within: 200) == nil)
        runner.process.signal(SIGTERM)
        #expect(try systemd.hear().first == "STOPPING=1")
        #expect(try runner.process.waitForEnd() == 0)
    }
}

/// A socket as systemd has one for what its services say.
private final class NotifySocket {
    let name: String
    private let socket: CInt

    /// `name` is a path, or `@` and a name without a file.
    init(_ name: String) throws {
        self.name = name
        socket = Glibc.socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        if name.hasPrefix("@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(2 + bytes.count)
        let bound = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, length) }
        }
        try #require(bound == 0, "\(String(cString: strerror(errno)))")
    }

    deinit { close(socket) }

    /// The lines of the next message.
    func hear() throws -> [String] {
        guard let words = hearIfAny(within: 30_000) else { throw NeverHappened("it was told") }
        return words
    }

    /// Nil when nothing is said for so many milliseconds.
    func hearIfAny(within ms: CInt = 0) -> [String]? {
        var item = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        guard poll(&item, 1, ms) > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = recv(socket, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
            .map(String.init)
    }
}
