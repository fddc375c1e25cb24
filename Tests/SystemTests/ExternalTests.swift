import Foundation
import Glibc
import JobCore
import JobTesting
import JobWire
import Testing
import ZeroMQ

/// Workers of other programs, against the built runner.
@Suite("External workers, end to end") struct ExternalTests {
    private let runner: RunnerProcess
    private let client: Conversation

    init() throws {
        runner = try RunnerProcess(.external())
        client = try Conversation(runner.ipc)
    }

    private let job = #"{"kernel":"shout","input":{"text":"a"}}"#

    private func worker(_ kernel: String = "shout") throws -> ExternalWorker {
        try ExternalWorker(runner.workerDoor, kernel: kernel)
    }

    private func dropped() throws -> Int64 {
        try client.ask("sys.stats")["dropped"]?.integerValue ?? -1
    }

    // MARK: Work

    @Test func `a worker has the input and its frames, and gives the result`() throws {
        let worker = try worker()
        let frames: [[UInt8]] = [[1, 2], []]
        let id = try client.submit(
            #"{"kernel":"shout","input":{"a":{"$frame":2},"b":{"$frame":3}}}"#,
            frames: frames
        )
        let order = try worker.order()
        #expect(
            order.body.map { String(decoding: $0, as: UTF8.self) }.first
                == #"{"a":{"$frame":2},"b":{"$frame":3}}"#
        )
        #expect(Array(order.body.dropFirst()) == frames)
        #expect(try client.waitUntil(id) { $0.state == "running" }["worker"] != nil)
        try worker.reply(order.address, #"{"done":true}"#)
        let said = try client.result(id)
        #expect(said.text == #"{"done":true}"# && said["format"] == "json")
    }

    @Test func `a job waits until a worker for its kernel is there, and says so`() throws {
        let id = try client.submit(job)
        #expect(try client.show(id)["why"] == "No worker for the kernel shout is attached.")
        let other = try worker("whisper")
        // All else goes on meanwhile, in the same queue.
        let backlog = (0..<500).map { _ in job }.joined(separator: ",")
        #expect(try client.ask("job.submit", #"{"jobs":[\#(backlog)]}"#).code == "200")
        let sql = try client.ask("job.submit", #"{"sql":"select 1","wait_ms":20000}"#)
        #expect(sql.state == "succeeded")
        #expect(try client.show(id).state == "queued")
        let worker = try worker()
        let order = try worker.order()
        try worker.reply(order.address, "1")
        #expect(try client.result(id).text == "1")
        try other.beat()
    }

    @Test func `a call by the kernel's name is answered with the worker's frames`() throws {
        let served = { try client.ask("mmi.service", "shout").code }
        #expect(try served() == "404")
        let worker = try worker()
        _ = try eventually("the kernel is served") { try served() == "200" ? true : nil }
        try client.say([Array("MDPC01".utf8), Array("shout".utf8), [7], [8]])
        let order = try worker.order()
        #expect(order.body == [[7], [8]])
        try worker.reply(order.address, "one", "two")
        let answer = try client.hearFrames().dropFirst(2)
        #expect(answer.map { String(decoding: $0, as: UTF8.self) } == ["one", "two"])
    }

    @Test func `large inputs and results come through whole`() throws {
        let worker = try worker()
        let text = String(repeating: "x", count: 900_000)
        let id = try client.submit(#"{"kernel":"shout","input":{"text":"\#(text)"}}"#)
        let order = try worker.order()
        #expect(order.body.first?.count == text.utf8.count + 11)
        // It goes at once: the result counts all the same.
        let result = "\"" + String(repeating: "y", count: 5_000_000) + "\""
        try worker.reply(order.address, result)
        try worker.say(5)
        let said = try client.result(id)
        #expect(said["format"] == "json" && said["attempt"] == 1)
        #expect(said.frames.first?.count == result.utf8.count)
    }

    @Test func `results of other jobs are put into the input`() throws {
        let worker = try worker()
        let rows = try client.submit(
            #"{"sql":"select value, hex(zeroblob(20000)) from json_each('[1, 2, 3]')"}"#
        )
        let text = try client.submit(#"{"sql":"select 'é' as a","format":"csv"}"#)
        let id = try client.submit(
            #"{"kernel":"shout","after":[\#(rows),\#(text)],"input":["#
                + #"{"$result":\#(rows),"path":"rows.1.0"},{"$result":\#(text)},"#
                + #"{"$result":\#(rows),"path":"rows.2"}]}"#
        )
        let order = try worker.order()
        let zeros = String(repeating: "0", count: 40_000)
        #expect(order.body == [Array(#"[2,"a\r\né\r\n",[3,"\#(zeros)"]]"#.utf8)])
        try worker.reply(order.address, "{}")
        #expect(try client.result(id).text == "{}")
    }

    @Test func `a result that is not there fails the job, and leaves the worker to others`() throws
    {
        let worker = try worker()
        let before = try client.submit(#"{"sql":"select 1"}"#)
        let id = try client.submit(
            #"{"kernel":"shout","after":[\#(before)],"#
                + #""input":{"$result":\#(before),"path":"rows.7"}}"#
        )
        let end = try client.waitUntil(id) { $0.state == "failed" }
        #expect(end["error"]?["code"] == "no_input")
        let other = try client.submit(job)
        try worker.reply(try worker.order().address, "{}")
        #expect(try client.result(other).text == "{}")
    }

    /// Each of the paths leads to the end of a large result: all of them take minutes.
    @Test func `a job that takes a great deal holds up nobody once it is called off`() throws {
        let worker = try worker()
        let before = try client.submit(
            """
            {"sql":"with recursive n(i) as (values (1) union all select i + 1 from n limit 1000) \
            select hex(zeroblob(4000)), i from n"}
            """
        )
        let taken = #"{"$result":\#(before),"path":"rows.999.1"}"#
        let many = repeatElement(taken, count: 9_000).joined(separator: ",")
        let id = try client.submit(
            #"{"kernel":"shout","after":[\#(before)],"input":[\#(many)]}"#
        )
        _ = try client.waitUntil(id) { $0.state == "running" }
        #expect(try client.ask("job.cancel", #"{"ids":[\#(id)]}"#).code == "200")
        #expect(try worker.hear().command == 5)
        let other = try self.worker()
        _ = try client.submit(
            #"{"kernel":"shout","after":[\#(before)],"input":[\#(taken)]}"#
        )
        #expect(try other.order().body == [Array("[1000]".utf8)])
    }

    @Test func `large results of many workers at once are all taken`() throws {
        let workers = try (0..<8).map { _ in try worker() }
        let ids = try workers.map { _ in try client.submit(job) }
        let orders = try workers.map { try $0.order() }
        let result = #"["\#(String(repeating: #"\u00e9"#, count: 2 << 20))"]"#
        for (worker, order) in zip(workers, orders) { try worker.reply(order.address, result) }
        for id in ids {
            #expect(try client.waitUntil(id) { $0["result"] != nil }["attempt"] == 1)
        }
    }

    @Test func `a run fails by the worker's word`() throws {
        let worker = try worker()
        let id = try client.submit(job)
        let sentence = Array("The ink is out.".utf8)
        try worker.say(6, [worker.order().address, [], sentence, Array("permanent".utf8)])
        let said = try client.result(id)
        #expect(said.state == "failed" && said.errorCode == "kernel_error")
        #expect(said["error"]?["message"] == "The ink is out.")
    }

    @Test func `who is attached and what they run is told`() throws {
        let (worker, other) = (try worker(), try worker("whisper"))
        let id = try client.submit(job)
        let order = try worker.order()
        let told = try eventually("both are attached") {
            let told = try client.ask("sys.stats")["external_workers"]?.arrayValue ?? []
            return told.count == 2 ? told : nil
        }
        let kernels = told.compactMap { $0["kernel"]?.stringValue }
        #expect(kernels.sorted() == ["shout", "whisper"])
        #expect(told.first { $0["kernel"] == "shout" }?["job"]?.integerValue == id)
        let about = try client.ask("sys.info")
        #expect(about["external_kernels"] == ["shout", "whisper"])
        try other.beat()
        try worker.reply(order.address, "1")
        #expect(try client.result(id).state == "succeeded")
    }

    // MARK: Fences

    @Test func `what comes too late, twice or from another is dropped and counted`() throws {
        let (first, before) = (try worker(), try dropped())
        let id = try client.submit(job)
        let late = try first.order().address
        try first.ready()  // It has forgotten what it was told.
        let again = try first.order().address
        #expect(again != late)
        let second = try worker()
        try second.reply(again, "\"another's\"")
        try first.reply(late, "\"late\"")
        try first.reply(again, "\"right\"")
        let said = try client.result(id)
        #expect(said.text == "\"right\"" && said["attempt"] == 2)
        try first.reply(again, "\"twice\"")
        _ = try eventually("all is counted") { try dropped() == before + 3 ? true : nil }
        #expect(try client.result(id).text == "\"right\"")
    }

    @Test func `a runner that starts again believes no answer to its former life`() throws {
        let worker = try worker()
        let id = try client.submit(job)
        let old = try worker.order().address
        try runner.killAll()
        try runner.restart()
        let client = try Conversation(runner.ipc)
        try worker.reply(old, "\"old\"")
        #expect(try worker.hear().command == 5)
        #expect(try client.show(id).state == "queued")
        try worker.ready()
        try worker.reply(worker.order().address, "\"new\"")
        #expect(try client.result(id).text == "\"new\"")
    }

    // MARK: Ends

    @Test func `a worker that is killed in the middle of a run has its job run again`() throws {
        let path = try python()
        let script = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "external_worker.py").path()
        let doomed = try ChildProcess(
            path,
            [script, runner.workerDoor],
            environment: ProcessInfo.processInfo.environment,
            directory: runner.directory.path
        )
        let id = try client.submit(job)
        _ = try eventually("it works: \(doomed.errors)") {
            doomed.output == "busy\n" ? true : nil
        }
        let other = try worker()
        doomed.signal(SIGKILL)
        let order = try other.beating("the runner notices") {
            try client.show(id)["attempts"]?.arrayValue?.first
        }
        #expect(order["error"]?["code"] == "lost")
        try other.reply(other.order().address, "\"again\"")
        let said = try client.result(id)
        #expect(said.text == "\"again\"" && said["attempt"] == 2)
    }

    @Test func `who is idle and silent goes, who is busy and silent stays`() throws {
        let (idle, busy) = (try worker("whisper"), try worker())
        let id = try client.submit(job)
        let order = try busy.order()
        #expect(try idle.hear().command == 5, "After three heartbeats, or ten seconds.")
        #expect(try client.ask("mmi.service", "whisper").code == "404")
        try busy.reply(order.address, "1")
        #expect(try client.result(id).text == "1")
        try idle.ready()
        _ = try eventually("it is back") {
            try client.ask("mmi.service", "whisper").code == "200" ? true : nil
        }
    }

    @Test func `a job is called off, or runs out of time, while a worker has it`() throws {
        let worker = try worker()
        let called = try client.submit(job)
        let first = try worker.order().address
        #expect(try client.ask("job.cancel", #"{"id":\#(called)}"#).code == "200")
        #expect(try worker.hear().command == 5)
        try worker.reply(first, "1")
        #expect(try worker.hear().command == 5)
        #expect(try client.result(called).state == "cancelled")
        try worker.ready()
        let fields = #""timeout_ms":100,"max_attempts":1"#
        let slow = try client.submit(#"{"kernel":"shout",\#(fields)}"#)
        _ = try worker.order()
        #expect(try worker.hear().command == 5)
        #expect(try client.result(slow).errorCode == "timeout")
    }

    @Test func `a stop puts back what a worker has`() throws {
        var options = runner.options
        options.settings["DRAIN_MS"] = "0"
        runner.process.signal(SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)
        try runner.restart(options)
        let client = try Conversation(runner.ipc)
        let worker = try worker()
        let id = try client.submit(job)
        _ = try worker.order()
        runner.process.signal(SIGTERM)
        #expect(try worker.hear().command == 5)
        #expect(try runner.process.waitForEnd() == 0)
        try runner.restart()
        let again = try self.worker()
        try again.reply(again.order().address, "1")
        let said = try Conversation(runner.ipc).result(id)
        #expect(said.state == "succeeded")
    }

    // MARK: Others at the door

    @Test func `what nobody should say at the workers' door hurts nobody`() throws {
        let worker = try worker()
        let id = try client.submit(job)
        let order = try worker.order()
        var random = SeededGenerator(seed: .random(in: .min ... .max))
        let odd = try Conversation(dealer: runner.workerDoor)
        for _ in 0..<3_000 {
            let frames = (0..<Int.random(in: 0...6, using: &random)).map { place -> [UInt8] in
                switch Int.random(in: 0..<6, using: &random) {
                case 0, 1:
                    place == 0 ? Array("MDPW01".utf8) : [UInt8.random(in: 0...7, using: &random)]
                case 2: order.address
                case 3: Array("shout".utf8)
                case 4: []
                default: (0..<9).map { _ in UInt8.random(in: .min ... .max, using: &random) }
                }
            }
            // A READY of its own would take the next job.
            if frames.count == 3, frames[1] == [1] { continue }
            _ = try odd.sayRaw([[]] + frames)
        }
        try worker.reply(order.address, "\"well\"")
        #expect(try client.result(id).text == "\"well\"")
        #expect(try client.run == 1 && runner.readyCount == 1)
    }

    @Test func `clients get nothing at the workers' door`() throws {
        let lost = try Conversation(dealer: runner.workerDoor)
        try lost.say("sys.ping", "{}")
        #expect(try lost.hearFrames() == [[], Array("MDPW01".utf8), [5]])
    }

    // MARK: The example

    @Test func `the example attaches, works, and comes back after a restart`() throws {
        let example = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../jobs/examples/external-worker.py").path()
        let worker = try ChildProcess(
            python(),
            [example, runner.workerDoor],
            environment: ProcessInfo.processInfo.environment,
            directory: runner.directory.path
        )
        let id = try client.submit(job)
        #expect(try client.result(id).text == #"{"text": "A!"}"#, "\(worker.errors)")
        let bad = try client.submit(#"{"kernel":"shout","input":{"texts":"a"}}"#)
        #expect(try client.result(bad)["attempt"] == 1)
        try runner.killAll()
        try runner.restart()
        let again = try Conversation(runner.ipc)
        #expect(try again.result(again.submit(job)).state == "succeeded")
        #expect(!worker.hasEnded)
    }
}

/// Keys at the door of external workers.
@Suite("External workers with keys") struct ExternalKeyTests {
    @Test func `only a key of the role worker lets a worker in, and no client`() throws {
        var options = RunnerProcess.Options.external()
        options.settings["WORKER_LISTEN"] = "tcp://127.0.0.1:*"
        let runner = try KeyedRunner(options)
        let client = try Conversation(runner.process.ipc)
        let endpoints = try client.ask("sys.info")["worker_listen"]?.arrayValue
        let door = try #require(endpoints?.first?.stringValue)
        // Who is let in has this one at once.
        let id = try client.submit(#"{"kernel":"shout"}"#)
        let stranger = try ExternalWorker(door, keys: runner.keys(.admin))
        #expect(try stranger.hear().command == 5)
        #expect(try client.ask("mmi.service", "shout").code == "404")
        let worker = try ExternalWorker(door, keys: runner.keys(.worker))
        try worker.reply(worker.order().address, "1")
        #expect(try client.result(id).text == "1")
        let curious = try runner.client(.worker)
        #expect(try curious.ask("sys.stats").code == "403")
        #expect(try curious.ask("sys.ping").code == "403")
    }
}
