import Foundation
import JobTesting
import JobWire
import Testing

/// One job over many workers: how far it is, how it fails, and what its parts share.
@Suite struct FanOutTests {
    private func start(
        workers: Int = 2,
        kernelProcesses: Bool = false
    ) throws -> (RunnerProcess, Conversation) {
        var options = RunnerProcess.Options()
        options.program = "millrace-test-runner"
        options.workers = workers
        options.settings = ["KERNEL_PROCESSES": "\(kernelProcesses)"]
        let runner = try RunnerProcess(options)
        return (runner, try Conversation(runner.ipc))
    }

    @Test(arguments: [1, 2, 5])
    func `a job of 1 024 parts runs on any number of workers`(workers: Int) throws {
        let (runner, client) = try start(workers: workers)
        for (kernel, input, result) in [
            ("count", #"{"to":1000003}"#, #"{"count":1000003}"#),
            ("primes", #"{"below":1000000}"#, #"{"count":78498,"largest":999983}"#),
        ] {
            let id = try client.submit(#"{"kernel":"\#(kernel)","input":\#(input),"parts":1024}"#)
            let said = try client.result(id)
            #expect(said.text == result, "\(said.head)")
            #expect(try client.show(id)["progress"] == ["done": 1_024, "total": 1_024])
        }
        withExtendedLifetime(runner) {}
    }

    @Test(arguments: [false, true])
    func `how far the whole is can be seen while parts run`(kernelProcesses: Bool) throws {
        let (runner, client) = try start(kernelProcesses: kernelProcesses)
        let path = runner.directory.path + "/go"
        let id = try client.submit(
            #"{"kernel":"pieces","input":{"pieces":[7,{"until":"\#(path)"},8]},"parts":2}"#
        )
        _ = try client.waitUntil(id) { $0["progress"] == ["done": 2, "total": 3] }
        let shown = try client.show(id)
        #expect(shown.state == "queued")
        #expect(shown["why"] == "It waits for 1 part.", "\(shown.head)")
        try Data().write(to: URL(filePath: path))
        #expect(try client.result(id).text == "[7,true,8]")
        #expect(try client.show(id)["progress"] == ["done": 3, "total": 3])
    }

    private static let terms =
        #""parts":2,"max_attempts":3,"backoff":{"first_ms":1,"longest_ms":1}"#

    /// How often a part of the kernel `pieces` has run.
    private func runs(_ book: String) -> Int {
        FileManager.default.contents(atPath: book)?.count ?? 0
    }

    @Test func `a part that fails is tried again by itself, and the whole succeeds`() throws {
        let (runner, client) = try start()
        let book = runner.directory.path + "/book"
        let pieces = #"[1,{"fails":2,"book":"\#(book)"}]"#
        let id = try client.submit(
            #"{"kernel":"pieces","input":{"pieces":\#(pieces)},\#(Self.terms)}"#
        )
        #expect(try client.result(id).text == "[1,true]")
        #expect(runs(book) == 3)
        #expect(try client.show(id)["attempt"] == 2, "split and reduce")
    }

    @Test func `a part that has failed as often as it may fails the whole with its error`() throws {
        let (runner, client) = try start()
        let book = runner.directory.path + "/book"
        let pieces = #"[1,{"fails":9,"book":"\#(book)"},{"until":"/nowhere/at/all"}]"#
        let id = try client.submit(
            #"{"kernel":"pieces","input":{"pieces":\#(pieces)},\#(Self.terms)}"#
        )
        let said = try client.result(id)
        #expect(said.state == "failed")
        #expect(said.errorCode == "kernel_error")
        #expect(said["error"]?["message"] == "Part 2: It failed in attempt 3.", "\(said.head)")
        #expect(runs(book) == 3)
        // The part that would wait for ever was called off, and holds no worker.
        _ = try eventually("nothing runs or waits") {
            let counts = try client.ask("sys.stats")["counts"]
            return counts?["queued"] == 0 && counts?["running"] == 0 ? true : nil
        }
        #expect(try client.result(client.submit(#"{"kernel":"echo","input":1}"#)).text == "1")
    }

    @Test(arguments: [false, true])
    func `a large frame is not stored again for each part`(kernelProcesses: Bool) throws {
        let (runner, client) = try start(kernelProcesses: kernelProcesses)
        let bytes = (0..<4 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 7) }
        let sum = bytes.reduce(0) { $0 + Int64($1) }
        let id = try client.submit(
            #"{"kernel":"bytes","input":{"bytes":{"$frame":2}},"parts":32}"#,
            frames: [bytes]
        )
        let said = try client.result(id)
        #expect(said.text == "\(sum)", "\(said.head)")
        #expect(try client.show(id)["progress"] == ["done": 32, "total": 32])
        let statistics = try client.ask("sys.stats")
        let stored = ["store_bytes", "wal_bytes"].compactMap { statistics[$0]?.integerValue }
        #expect(stored.count == 2)
        // Once in the log and once in the store, and little else.
        #expect(stored.reduce(0, +) < 3 * Int64(bytes.count), "\(stored)")
        withExtendedLifetime(runner) {}
    }

    @Test func `parts that share a frame have it again after a kill`() throws {
        let (runner, client) = try start()
        let path = runner.directory.path + "/go"
        let id = try client.submit(
            #"{"kernel":"bytes","input":{"bytes":{"$frame":2},"until":"\#(path)"},"parts":16}"#,
            frames: [[UInt8](repeating: 1, count: 100_000)]
        )
        _ = try client.waitUntil(id) { $0["waits_for"] == 16 }
        try runner.killAll()
        try Data().write(to: URL(filePath: path))
        try runner.restart()
        let again = try Conversation(runner.ipc)
        #expect(try again.result(id).text == "100000")
    }
}
