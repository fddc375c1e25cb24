import Glibc
import JobTesting
import JobWire
import Testing
import ZeroMQ

/// Clients that know nothing but Majordomo and Titanic, against the built runner.
@Suite struct MajordomoTests {
    private func run(_ arguments: [String], in runner: RunnerProcess) throws -> String {
        try ForeignClient("majordomo_client.py").run(arguments, in: runner)
    }

    private func succeeded(_ runner: RunnerProcess) throws -> JSON? {
        try Conversation(runner.ipc).ask("sys.stats")["counts"]?["succeeded"]
    }

    @Test func `a client written from RFC 7 alone calls kernels by their names`() throws {
        let runner = try RunnerProcess()
        #expect(try run(["calls", runner.tcp], in: runner) == "\"done\"\n")
    }

    @Test func `what is sent again while it runs is one job`() throws {
        let runner = try RunnerProcess()
        let sent = try JSON(parsing: Array(run(["resends", runner.tcp], in: runner).utf8))
        #expect(sent.integerValue ?? 0 > 2)
        #expect(try succeeded(runner) == 1)
        // Answers to those who have hung up since are all that was lost.
        let dropped = try Conversation(runner.ipc).ask("sys.stats")["dropped"]?.integerValue
        #expect(dropped.map { $0 < sent.integerValue ?? 0 } == true)
    }

    @Test func `what Titanic has stored outlives a kill, and stays until it is closed`() throws {
        let runner = try RunnerProcess()
        let path = runner.directory.path + "/ids.json"
        let stored = try run(["store", runner.tcp, path, "200", "12"], in: runner)
        #expect(stored == "true\n", "Some of it is still to be done.")
        try runner.killAll()
        try runner.restart()
        #expect(try run(["collect", runner.tcp, path], in: runner) == "212\n")
        let counts = try Conversation(runner.ipc).ask("sys.stats")["counts"]
        #expect(counts?["succeeded"] == 0, "What was closed is gone.")
        #expect(counts?["failed"] == 1)
    }

    @Test(arguments: [UInt64.random(in: 0...999_999)])
    func `what nobody should send hurts nobody`(seed: UInt64) throws {
        let runner = try RunnerProcess()
        let said = try run(["junk", runner.tcp, "\(seed)", "20000"], in: runner)
        #expect(said == "true\n")
        #expect(try Conversation(runner.ipc).run == 1)
        #expect(runner.readyCount == 1)
    }

    // MARK: What the documents of others do not say

    @Test func `a call that waits is told of a stop`() throws {
        var options = RunnerProcess.Options()
        options.settings["DRAIN_MS"] = "0"
        let runner = try RunnerProcess(options)
        let client = try Conversation(runner.ipc)
        try client.say([Array("MDPC01".utf8), Array("sleep".utf8), Array(#"{"ms":60000}"#.utf8)])
        let observer = try Conversation(runner.ipc)
        _ = try eventually("the call runs") {
            try observer.ask("sys.stats")["counts"]?["running"] == 1 ? true : nil
        }
        runner.process.signal(SIGTERM)
        let said = try client.hear()
        #expect(said.code == "503")
        #expect(said.errorCode == "draining")
        #expect(try runner.process.waitForEnd() == 0)
        try runner.restart()
        // It was accepted, and goes on.
        let again = try Conversation(runner.ipc)
        #expect(try again.show(1).state.map { ["queued", "running"].contains($0) } == true)
    }

    @Test func `a Titanic job is closed while it runs, and its number is gone`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        func ask(_ service: String, _ frames: [UInt8]...) throws -> [[UInt8]] {
            try client.say([Array("MDPC01".utf8), Array(service.utf8)] + frames)
            return Array(try client.hearFrames().dropFirst(2))
        }
        let stored = try ask(
            "titanic.request",
            Array("sleep".utf8),
            Array(#"{"ms":60000}"#.utf8)
        )
        try #require(stored.count == 2)
        // The second half of an id is the job's number.
        #expect(String(decoding: stored[1].suffix(16), as: UTF8.self) == "0000000000000001")
        try client.waitUntilRunning(1)
        #expect(try ask("titanic.reply", stored[1]) == [Array("300".utf8)])
        #expect(try ask("titanic.close", stored[1]) == [Array("200".utf8)])
        #expect(try ask("titanic.reply", stored[1]).first == Array("400".utf8))
        #expect(try client.show(1).code == "410")
        // Its worker is free again.
        #expect(try ask("echo", [7]) == [[7]])
    }

    @Test func `jobs of other clients are not Titanic's`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        let id = try client.submit(#"{"kernel":"echo","input":1}"#)
        _ = try client.result(id)
        let guess = Array((String(repeating: "0", count: 31) + "\(id)").utf8)
        try client.say([Array("MDPC01".utf8), Array("titanic.reply".utf8), guess])
        #expect(try client.hear().code == "400")
        try client.say([Array("MDPC01".utf8), Array("titanic.close".utf8), guess])
        #expect(try client.hear().code == "200")
        #expect(try client.result(id).text == "1")
    }

    @Test func `frames keep their boundaries through a kernel's process and the store`() throws {
        var options = RunnerProcess.Options()
        options.settings["KERNEL_PROCESSES"] = "true"
        let runner = try RunnerProcess(options)
        let client = try Conversation(runner.ipc)
        let frames: [[UInt8]] = [[1, 2], [], [UInt8](repeating: 9, count: 2 << 20)]
        try client.say([Array("MDPC01".utf8), Array("echo".utf8)] + frames)
        #expect(try client.hearFrames().dropFirst(2) == frames[...])
        let stored = try client.result(1)
        #expect(stored["format"] == "frames")
        #expect(stored.frames.first.flatMap(FrameList.split) == frames)
    }
}
