import Foundation
import JobCore
import JobRunner
import Testing

/// Where settings come from, which source wins, and what is said when they are wrong.
@Suite struct SettingsTests {
    private static let state = "/home/ada/.local/state/millrace"

    private func sources(
        _ environment: [String: String] = [:],
        file yaml: String? = nil
    ) throws -> SettingsSources {
        var sources = SettingsSources(
            environment: environment.merging(["HOME": "/home/ada"]) { given, _ in given },
            workingDirectory: "/work",
            cores: 3
        )
        if let yaml {
            let file = FileManager.default.temporaryDirectory
                .appending(path: "millrace-\(UUID().uuidString).yaml")
            try Data(yaml.utf8).write(to: file)
            sources.flags.settingsFile = file.path()
        }
        return sources
    }

    private func problems(_ sources: SettingsSources) -> [String] {
        do throws(SettingsError) {
            _ = try Settings(reading: sources)
            return []
        } catch {
            return error.problems
        }
    }

    /// The problems of a file, without its random name.
    private func problems(inFile yaml: String) throws -> [String] {
        let sources = try sources(file: yaml)
        return problems(sources).map {
            $0.replacingOccurrences(of: sources.flags.settingsFile ?? "", with: "FILE")
        }
    }

    @Test func `without any source every setting has its default and paths are whole`() throws {
        let settings = try Settings(reading: sources())
        #expect(settings.stateDirectory == Self.state)
        #expect(
            settings.listen == ["ipc://\(Self.state)/run/millrace.sock", "tcp://127.0.0.1:5555"]
        )
        #expect(settings.events == ["ipc://\(Self.state)/run/events.sock"])
        #expect(settings.spoolDirectory == "\(Self.state)/jobs")
        #expect(settings.workers == 3)
        #expect(settings.databases.isEmpty)
        #expect(settings.commands.isEmpty)
        #expect(settings.limits == Limits())
    }

    @Test func `the example has every setting at its default`() throws {
        let example = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../deploy/millrace.example.yaml")
        let yaml = try String(contentsOf: example, encoding: .utf8)
        #expect(try Settings(reading: sources(file: yaml)) == Settings(reading: sources()))

        let lines = yaml.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        let names =
            [
                "state", "listen", "events", "worker_listen", "external_kernels", "spool",
                "workers", "express", "nice", "drain_ms",
                "stuck_ms",
                "keep_succeeded_ms", "keep_failed_ms", "databases", "curve",
                "kernel_processes", "kernel_memory_bytes", "commands", "command_memory_bytes",
            ]
            + Limits.settable.map(\.name)
        for name in names {
            #expect(lines.contains { $0.hasPrefix("\(name):") }, "\(name) is missing")
        }
    }

    @Test func `a flag beats the environment, which beats the file, which beats the default`()
        throws
    {
        let yaml = "workers: 10\nnice: 10\ndrain_ms: 10\nlimits: {waits: 10, list_jobs: 10}"
        let environment = [
            "MILLRACE_WORKERS": "20", "MILLRACE_NICE": "11", "MILLRACE_LIMITS_WAITS": "20",
        ]
        var sources = try sources(environment, file: yaml)
        sources.flags.workers = 30

        let settings = try Settings(reading: sources)
        #expect(settings.workers == 30)
        #expect(settings.nice == 11)
        #expect(settings.drainMs == 10)
        #expect(settings.stuckMs == 10_000)
        #expect(settings.limits.waits == 20)
        #expect(settings.limits.listJobs == 10)
    }

    @Test func `databases come together from all sources, the strongest for each name`() throws {
        let yaml = """
            databases:
              a: a.db
              b: {path: /b.db, write: true, foreign_keys: true, trust: full}
              c: ~/c.db
            """
        var sources = try sources(["MILLRACE_DATABASES": "c=/c2.db:write, d=d.db"], file: yaml)
        sources.flags.databases = ["d=d2.db:write", "e=~/e.db"]

        #expect(
            try Settings(reading: sources).databases == [
                "a": .init(path: "\(Self.state)/a.db"),
                "b": .init(
                    path: "/b.db",
                    allowsWriting: true,
                    enforcesForeignKeys: true,
                    trust: .full
                ),
                "c": .init(path: "/c2.db", allowsWriting: true),
                // A path on the command line begins where the user stands.
                "d": .init(path: "/work/d2.db", allowsWriting: true),
                "e": .init(path: "/home/ada/e.db"),
            ]
        )
    }

    @Test func `commands come together from file and environment`() throws {
        let yaml = "commands: {gzip: /usr/bin/gzip, sort: ~/sort, own: bin/own}"
        let sources = try sources(["MILLRACE_COMMANDS": "sort=/bin/sort, tr=/a=b"], file: yaml)
        let commands = try Settings(reading: sources).commands
        #expect(
            commands.paths == [
                "gzip": "/usr/bin/gzip", "sort": "/bin/sort", "own": "\(Self.state)/bin/own",
                "tr": "/a=b",
            ]
        )
        #expect(commands.path(of: "gzip") == "/usr/bin/gzip")
        #expect(commands.path(of: "/bin/sort") == "/bin/sort")
        for word in ["sh", "/bin/sh", "", "bin/sort", "/usr/bin/../bin/gzip", "GZIP"] {
            #expect(commands.path(of: word) == nil, "\(word)")
        }
    }

    @Test(arguments: [
        "commands: [gzip]", "commands: {gzip: [a]}", "commands: {'a b': /c}",
        "commands: {gzip: ''}", "command_memory_bytes: 16777215",
        "command_memory_bytes: 1099511627777",
    ])
    func `a command that is not written as a name and a path, or bounded, is refused`(
        yaml: String
    ) throws {
        #expect(try !problems(inFile: yaml).isEmpty)
    }

    @Test func `the state directory moves what is relative to it, and only that`() throws {
        var sources = try sources([
            "MILLRACE_STATE": "/var/lib/millrace", "MILLRACE_LISTEN": "ipc://m.sock,ipc:///tmp/m",
        ])
        var settings = try Settings(reading: sources)
        #expect(settings.listen == ["ipc:///var/lib/millrace/m.sock", "ipc:///tmp/m"])
        #expect(settings.spoolDirectory == "/var/lib/millrace/jobs")
        #expect(settings.storePath == "/var/lib/millrace/millrace.db")

        sources.flags.state = "here"
        sources.flags.listen = ["tcp://127.0.0.1:*"]
        sources.flags.spool = "drop"
        settings = try Settings(reading: sources)
        #expect(settings.stateDirectory == "/work/here")
        #expect(settings.listen == ["tcp://127.0.0.1:*"])
        #expect(settings.spoolDirectory == "/work/drop")
    }

    @Test func `unknown names and wrong kinds are told with their lines, all at once`() throws {
        let yaml = """
            workrs: 2
            listen: tcp://127.0.0.1:1
            nice: [1]
            databases:
              a: {path: a.db, wirte: true}
              b: {path: b.db, write: yes}
            limits: {wait: 1}
            workers: many
            """
        #expect(
            try problems(inFile: yaml) == [
                "FILE, line 1: there is no setting \"workrs\".",
                "FILE, line 2: listen must be a list of texts.",
                "FILE, line 3: nice must be one value.",
                "FILE, line 5: databases.a has no setting \"wirte\".",
                "FILE, line 6: write must be true or false.",
                "FILE, line 7: there is no setting \"limits.wait\".",
                "workers must be an integer, not \"many\".",
            ]
        )
    }

    @Test(arguments: ["a: [", "just words", "- a list", "workers: 1\nworkers: 2"])
    func `a file that is not made of names and values is refused`(yaml: String) throws {
        #expect(try problems(inFile: yaml).count == 1)
    }

    @Test func `an empty file changes nothing`() throws {
        #expect(try Settings(reading: sources(file: "# nothing\n")) == Settings(reading: sources()))
    }

    @Test func `a file that was named must be there`() throws {
        var sources = try sources()
        sources.flags.settingsFile = "no.yaml"
        #expect(problems(sources) == ["/work/no.yaml cannot be read: No such file or directory."])
    }

    @Test(arguments: ["sales", "sales=", "=x.db", "a b=x.db"])
    func `a database that is not written as a name and a path is refused`(flag: String) throws {
        var sources = try sources()
        sources.flags.databases = [flag]
        #expect(problems(sources).count == 1)
    }

    @Test(arguments: [
        "tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://eth0:5555", "tcp://192.168.1.2:5555",
        "tcp://127.evil.example.com:5555", "tcp://127.0.0.1.example.com:5555", "tcp://[::]:5555",
        "tcp://127.0.0.1", "tcp://127.0.0.1:99999", "udp://127.0.0.1:5555", "ipc://", "",
        "ipc:///" + String(repeating: "x", count: 107),
    ])
    func `an endpoint that cannot or must not be listened on is refused`(endpoint: String) {
        var settings = Settings(cores: 1)
        settings.listen = [endpoint]
        #expect(settings.problems().count == 1)
    }

    @Test(arguments: ["tcp://127.0.0.2:1", "tcp://[::1]:5555", "tcp://localhost:*", "ipc:///a"])
    func `a loopback address or a socket may be listened on`(endpoint: String) {
        var settings = Settings(cores: 1)
        settings.listen = [endpoint]
        #expect(settings.problems().isEmpty)
    }

    @Test func `external workers have a door and kernels, and neither without the other`() throws {
        let yaml =
            "worker_listen: ['ipc://w.sock', 'tcp://127.0.0.1:5556']\nexternal_kernels: [a-1]"
        var settings = try Settings(reading: sources(file: yaml))
        #expect(settings.workerListen == ["ipc://\(Self.state)/w.sock", "tcp://127.0.0.1:5556"])
        #expect(settings.externalKernels == ["a-1"])
        let given = ["MILLRACE_EXTERNAL_KERNELS": "b,c"]
        #expect(try Settings(reading: sources(given, file: yaml)).externalKernels == ["b", "c"])
        #expect(
            try problems(inFile: "external_kernels: [a]")
                == ["worker_listen and external_kernels need each other."]
        )
        #expect(
            problems(try sources(["MILLRACE_EXTERNAL_KERNELS": "sum"], file: yaml))
                == ["external_kernels: there is a kernel sum already, which needs no workers."]
        )
        settings.externalKernels = (1...Limits.externalKernels).map { "k\($0)" }
        #expect(settings.problems().isEmpty)
        settings.externalKernels.append("A.b")
        #expect(settings.problems().count == 2)
        settings.externalKernels = ["a"]
        settings.workerListen = ["tcp://0.0.0.0:5556", settings.listen[0]]
        let found = settings.problems()
        #expect(found.count == 2 && found[0].hasPrefix("worker_listen: tcp://0.0.0.0:5556 is open"))
    }

    @Test func `events have endpoints of their own, by the same rules, or none`() throws {
        var settings = Settings(cores: 1)
        settings.stateDirectory = "/state"
        let placed = settings.placed(home: "/home", in: "/")
        #expect(placed.events == ["ipc:///state/run/events.sock"])
        settings.events = ["ipc:///a", "tcp://127.0.0.1:*"]
        #expect(settings.placed(home: "/home", in: "/").events == settings.events)
        settings.listen.append("tcp://127.0.0.1:*")
        #expect(settings.problems().isEmpty)
        settings.listen.append("ipc:///a")
        #expect(
            settings.problems()
                == ["events: ipc:///a is one of listen; each needs an endpoint of its own."]
        )
        settings.events = ["tcp://0.0.0.0:5556"]
        #expect(settings.problems().first?.hasPrefix("events: tcp://0.0.0.0:5556 is open") == true)
        settings.events = []
        #expect(settings.problems().isEmpty)

        let yaml = try Settings(reading: sources(file: "events: [ipc://e.sock, 'tcp://[::1]:7']"))
        #expect(yaml.events == ["ipc://\(Self.state)/e.sock", "tcp://[::1]:7"])
        #expect(try Settings(reading: sources(file: "events: []")).events.isEmpty)
    }

    @Test func `every number has bounds and all that are beyond are told together`() {
        var settings = Settings(cores: 0)
        #expect(settings.workers == 1)
        #expect(settings.problems().isEmpty)
        settings.workers = 257
        settings.nice = -1
        settings.drainMs = .max
        settings.stuckMs = 0
        settings.retention.succeededMs = 0
        settings.retention.failedMs = .max
        for limit in Limits.settable { limit.set(&settings.limits, limit.range.lowerBound - 1) }
        #expect(settings.problems().count == 6 + Limits.settable.count)
        #expect(settings.problems().first == "workers must be 1...256, not 257.")
    }
}
