import Foundation
import JobClient
import JobCore
import JobTesting
import JobWire
import SQLite
import Testing
import ZeroMQ

/// What the built runner tells subscribers, and what it does not.
@Suite struct EventTests {
    /// Counts as `sys.stats` has them.
    private func count(_ name: String, _ client: Conversation) throws -> Int64 {
        try client.ask("sys.stats")["events"]?[name]?.integerValue ?? -1
    }

    private func waitUntilSubscribed(_ client: Conversation, to topics: Int64 = 1) throws {
        _ = try eventually("somebody has subscribed") {
            try count("subscriptions", client) >= topics ? true : nil
        }
    }

    /// A listener whose subscription the runner knows.
    private func listen(_ runner: RunnerProcess, _ topics: [String] = [""]) throws -> EventStream {
        let stream = try JobClient(endpoint: runner.ipc).events(topics)
        try waitUntilSubscribed(try Conversation(runner.ipc))
        return stream
    }

    private func next(_ stream: EventStream) throws -> EventStream.Event {
        guard let event = try stream.next(within: patience) else {
            throw NeverHappened("an event came")
        }
        return event
    }

    @Test func `a subscriber of another language hears of each end when it is on disk`() throws {
        let runner = try RunnerProcess()
        let said = try ForeignClient("event_client.py").run([runner.tcp], in: runner)
        let found = try JSON(parsing: Array(said.utf8))
        #expect(found["true"] == true, "\(said)")
        #expect(found["consecutive"] == true, "\(said)")
        #expect(found["heard"]?["bad"] == ["queued", "failed sql_error"])
        #expect(found["heard"]?["long"] == ["queued", "running", "cancelled cancelled"])
        #expect(found["heard"]?["mail"] == ["paused"])
        // Such a job is mostly over before somebody looks.
        let good = (found["heard"]?["good"]?.arrayValue ?? []).filter { $0 != "running" }
        #expect(good == ["queued", "succeeded"])
    }

    @Test func `what was told is in the store, whenever the runner is killed`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        let stream = try listen(runner, ["job."])
        let jobs = Array(repeating: #"{"kernel":"echo","input":7}"#, count: 2_000)
        let body = #"{"jobs":[\#(jobs.joined(separator: ","))]}"#
        try client.say("job.submit", body)
        var told: [Int64: String] = [:]
        func hear(_ event: EventStream.Event) {
            guard let id = event.body["id"]?.integerValue else { return }
            if told[id] != "succeeded" { told[id] = event.body["state"]?.stringValue }
        }
        while told.values.count(where: { $0 == "succeeded" }) < 20 { hear(try next(stream)) }
        try runner.killAll()
        while let event = try stream.next(within: .milliseconds(200)) { hear(event) }

        let store = try Connection(path: runner.state + "/millrace.db", mode: .readOnly)
        let rows = try store.prepare("SELECT id, state FROM jobs").all {
            ($0.integer(0), $0.text(1))
        }
        let written = Dictionary(uniqueKeysWithValues: rows)
        for (id, state) in told where state == "succeeded" { #expect(written[id] == state) }
        for id in told.keys { #expect(written[id] != nil) }
    }

    @Test func `each run counts from one, and listeners stay`() throws {
        let runner = try RunnerProcess()
        let stream = try listen(runner, ["job."])
        for run in 1...2 as ClosedRange<Int64> {
            if run == 2 {
                try runner.killAll()
                try runner.restart()
            }
            let client = try Conversation(runner.ipc)
            _ = try eventually("the listener has come back") {
                // Only who listens subscribes anew.
                #expect(try stream.next(within: .milliseconds(10)) == nil)
                return try count("subscriptions", client) > 0 ? true : nil
            }
            let id = try client.submit(#"{"sql":"select 1"}"#)
            #expect(try client.result(id).state == "succeeded")
            let first = try next(stream)
            #expect(first.topic == "job.\(id).queued")
            #expect(first.body["run"] == .integer(run) && first.body["seq"] == 1)
            while try next(stream).topic != "job.\(id).succeeded" {}
        }
    }

    @Test func `while nobody has subscribed nothing is told`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        for _ in 0..<20 { _ = try client.result(client.submit(#"{"sql":"select 1"}"#)) }
        #expect(try count("published", client) == 0)
        let stream = try listen(runner, ["queue."])
        _ = try client.result(client.submit(#"{"sql":"select 1"}"#))
        #expect(try count("published", client) == 0)
        try client.ask("queue.pause", #"{"queue":"default"}"#)
        let event = try next(stream)
        #expect(event.topic == "queue.default.paused")
        #expect(event.body["queue"] == "default" && event.body["paused"] == true)
        #expect(try count("published", client) == 1)
        #expect(try count("dropped", client) == 0)
    }

    @Test(arguments: [false, true])
    func `how far a kernel is is told and shown`(withProcesses: Bool) throws {
        var options = RunnerProcess.Options()
        options.settings["KERNEL_PROCESSES"] = "\(withProcesses)"
        let runner = try RunnerProcess(options)
        let client = try Conversation(runner.ipc)
        let stream = try listen(runner, ["job."])
        let id = try client.submit(#"{"kernel":"count","input":{"to":1000000000000}}"#)
        var done: [Int64] = []
        while done.count < 3 {
            let event = try next(stream)
            guard event.topic == "job.\(id).progress" else { continue }
            #expect(event.body["state"] == "running" && event.body["attempt"] == 1)
            #expect(event.body["progress"]?["total"] == 1_000_000_000_000)
            done.append(event.body["progress"]?["done"]?.integerValue ?? -1)
        }
        #expect(done == Array(Set(done)).sorted() && (done.first ?? 0) > 0)
        let shown = try client.show(id)
        #expect(shown["progress"]?["total"] == 1_000_000_000_000, "\(shown.head)")
        #expect(shown["progress"]?["done"]?.integerValue ?? 0 >= done.last ?? 0)
        try client.ask("job.cancel", #"{"id":\#(id)}"#)
        #expect(try client.result(id).state == "cancelled")
        #expect(try client.show(id)["progress"] == nil)
    }

    @Test func `a deaf subscriber misses events, and nobody else notices`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        var settings = SocketOptions()
        settings.receiveHighWaterMark = 1
        let deaf = try Socket(.sub, in: Context(), options: settings)
        try deaf.subscribe([])
        try deaf.connect("ipc://\(runner.state)/run/events.sock")
        try waitUntilSubscribed(client)

        let flood = try Conversation(dealer: runner.ipc)
        let jobs = Array(repeating: #"{"kernel":"echo","input":1}"#, count: 1_000)
        let batch = #"{"jobs":[\#(jobs.joined(separator: ","))]}"#
        func send(_ batches: Int) throws {
            for _ in 0..<batches { try flood.say("job.submit", batch) }
            for _ in 0..<batches {
                #expect(try client.ask("sys.ping").code == "200")
                #expect(try flood.hear().ids.count == 1_000)
            }
        }
        // Each job is two events: those that the marks of both ends and the buffers between them
        // have room for, and many more.
        try send(15)
        _ = try eventually("events are missed") { try count("dropped", client) > 0 ? true : nil }

        // One that listens hears all the same.
        let stream = try listen(runner, ["job."])
        try waitUntilSubscribed(client, to: 2)
        let id = try client.submit(#"{"kernel":"echo","input":1}"#)
        while try next(stream).topic != "job.\(id).succeeded" {}
        _ = consume deaf
        #expect(try client.ask("sys.ping").code == "200")
        _ = try eventually("it has left") { try count("subscriptions", client) == 1 ? true : nil }
        #expect(try client.run == 1)
    }

    // MARK: The door

    @Test func `over tcp events ask for the same keys as all else, of any role`() throws {
        var options = RunnerProcess.Options()
        options.settings["EVENTS"] = "tcp://127.0.0.1:*"
        let runner = try KeyedRunner(options)
        let client = try runner.client(.submit)
        let endpoint = try #require(
            try client.ask("sys.info")["events"]?.arrayValue?.first?.stringValue
        )
        let stranger = SocketOptions.ClientKeys(
            secretKey: try SecretKey(),
            serverKey: runner.serverKey
        )
        let wrong: [SocketOptions.ClientKeys?] = [nil, stranger]
        let outside = try wrong.map {
            try EventStream(endpoint: endpoint, topics: [""], keys: $0)
        }
        let inside = try EventStream(endpoint: endpoint, topics: [""], keys: runner.keys(.read))
        try waitUntilSubscribed(client)
        let id = try client.submit(#"{"sql":"select 1"}"#)
        while try next(inside).topic != "job.\(id).succeeded" {}
        for stream in outside { #expect(try stream.next(within: .milliseconds(300)) == nil) }
        #expect(try count("subscriptions", client) == 1)
    }

    @Test func `a runner may tell nothing`() throws {
        let files = try TemporaryDirectory()
        try "events: []\n".write(
            toFile: files.path + "/a.yaml",
            atomically: false,
            encoding: .utf8
        )
        var options = RunnerProcess.Options()
        options.settings["SETTINGS"] = files.path + "/a.yaml"
        let runner = try RunnerProcess(options)
        #expect(try Conversation(runner.ipc).ask("sys.info")["events"] == [])
        #expect(!FileManager.default.fileExists(atPath: runner.state + "/run/events.sock"))
        let said = try runner.command("events")
        #expect(said.code == 64)
        #expect(said.errors.contains("tells of no events here."))
    }

    @Test func `the socket of events is its owner's alone`() throws {
        let runner = try RunnerProcess()
        let path = runner.state + "/run/events.sock"
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect((attributes[.posixPermissions] as? Int ?? 0o777) & 0o077 == 0)
    }

    @Test func `what no subscriber would send harms nobody`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        // A dealer is no subscriber, and is hung up on; garbage is none at all.
        let endpoint = "ipc://\(runner.state)/run/events.sock"
        let dealer = try Socket(.dealer, in: Context())
        try dealer.connect(endpoint)
        _ = try dealer.send([[1], [2]], waiting: false)
        let long = try Socket(.sub, in: Context())
        // Longer than the runner hears, but not so long that libzmq's recursion ends the test.
        try long.subscribe([UInt8](repeating: 7, count: 2 * Limits.topicBytes))
        try long.connect(endpoint)
        let stream = try listen(runner, ["job."])
        let id = try client.submit(#"{"sql":"select 1"}"#)
        while try next(stream).topic != "job.\(id).succeeded" {}
        #expect(try count("subscriptions", client) == 1)
        #expect(try client.run == 1)
        _ = consume dealer
        _ = consume long
    }
}
