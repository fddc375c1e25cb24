import Glibc
import JobTesting
import JobWire
import Testing

/// Clients and neighbours that mean no good, one at a time.
@Suite struct HostileTests {
    private let protocolName = Array("MDPC01".utf8)
    private let ping = Array("sys.ping".utf8)

    @Test func `a frame beyond the limit costs its sender the connection and nobody else`() throws {
        let runner = try RunnerProcess()
        let sender = try Conversation(dealer: runner.tcp)
        let client = try Conversation(runner.tcp)
        let frame = [UInt8](repeating: 0x20, count: (16 << 20) + 1)
        _ = try sender.sayRaw([[], protocolName, Array("job.submit".utf8), frame])
        for _ in 0..<10 { #expect(try client.ask("sys.ping").code == "200") }
        // It comes back by itself, and is served.
        let said = try eventually("the sender is served again") { () -> Said? in
            try sender.say("sys.ping", #"{"request":"again"}"#)
            return try sender.hearIfAny(within: .milliseconds(500))
        }
        #expect(said.code == "200")
    }

    @Test func `a message beyond the limit in many frames is refused by name`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(dealer: runner.ipc)
        let frames = Array(repeating: [UInt8](repeating: 1, count: 3 << 20), count: 7)
        try client.say("job.submit", #"{"kernel":"echo","input":{"$frame":2}}"#, frames: frames)
        let said = try client.hear()
        #expect(said.code == "413")
        #expect(said.errorCode == "too_large")
        let many = try client.ask("job.submit", "{}", frames: Array(repeating: [1], count: 20))
        #expect(many.code == "413")
        #expect(try client.ask("sys.ping").code == "200")
    }

    @Test func `other protocols are told which one is spoken`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(dealer: runner.ipc)
        try client.say([Array("MDPC02".utf8), ping, Array("{}".utf8)])
        let frames = try client.hearFrames()
        #expect(frames.contains(Array("400".utf8)))
        #expect(frames.last.map { String(decoding: $0, as: UTF8.self) }?.contains("MDPC01") == true)
    }

    @Test func `clients that leave while they wait are forgotten`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        let id = try client.submit(#"{"kernel":"sleep","input":{"ms":600000}}"#)
        try client.waitUntilRunning(id)
        for _ in 0..<50 {
            let other = try Conversation(runner.ipc)
            try other.ask("sys.ping")
            try other.say("job.result", #"{"id":\#(id),"wait_ms":60000}"#)
        }
        #expect(try client.ask("job.cancel", #"{"id":\#(id)}"#)["count"] == 1)
        #expect(try client.result(id).state == "cancelled")
        #expect(try client.ask("sys.ping").code == "200")
    }

    @Test func `connections that probe, flood and close end nothing`() throws {
        let runner = try RunnerProcess()
        func frame(_ text: String, flags: UInt8) -> [UInt8] {
            [flags, UInt8(text.utf8.count)] + Array(text.utf8)
        }
        // A question, and then what libzmq answers by itself, without asking whether it still can.
        let message =
            frame("", flags: 1) + frame("MDPC01", flags: 1) + frame("sys.ping", flags: 1)
            + frame("", flags: 0) + frame("\u{4}PING\u{0}\u{0}", flags: 4)
        let flood = Array(repeating: message, count: 3_000).flatMap(\.self)
        for _ in 0..<5 {
            let connections = try (0..<5).map { _ in try RawConnection(to: runner.port) }
            for connection in connections { try connection.introduce() }
            for connection in connections {
                for _ in 0..<20 { connection.sayWhatFits(flood) }
            }
        }
        let client = try Conversation(runner.ipc)
        for _ in 0..<100 { #expect(try client.ask("sys.ping").code == "200") }
        #expect(try client.run == 1, "The process must be the same.")
    }

    @Test func `a flood of requests does not fill the memory`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        _ = try client.run
        let before = try residentKilobytes(of: runner.worker())
        let connection = try RawConnection(to: runner.port)
        try connection.introduce()
        // Of 28 bytes on the wire, and some three hundred in memory.
        let request: [UInt8] =
            [1, 0, 1, 6] + protocolName + [1, 8] + ping + [0, 0]
        let flood = Array(repeating: request, count: 70_000).flatMap(\.self)
        for _ in 0..<60 {
            connection.say(flood)
            #expect(try client.ask("sys.ping").code == "200")
        }
        let grown = try residentKilobytes(of: runner.worker()) - before
        print("Grown by \(grown) kB for four million requests")
        #expect(grown < 900_000)
        #expect(try client.run == 1)
    }

    @Test func `a client that asks and never reads costs little memory and hurts nobody`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        #expect(try client.ask("sys.ping").code == "200")
        let before = try residentKilobytes(of: runner.worker())
        let deaf = try Conversation(dealer: runner.tcp)
        var sent = 0
        while sent < 200_000 {
            if try deaf.sayRaw([[], protocolName, Array("sys.info".utf8)]) {
                sent += 1
            } else {
                #expect(try client.ask("sys.ping").code == "200")
            }
        }
        // All of it was heard when a ping behind it has been.
        for _ in 0..<100 { #expect(try client.ask("sys.ping").code == "200") }
        _ = try eventually("the runner has nothing more to do") {
            try client.ask("sys.stats")["dropped"]?.integerValue ?? 0 > 0 ? true : nil
        }
        let grown = try residentKilobytes(of: runner.worker()) - before
        print("Grown by \(grown) kB for a client that never reads")
        #expect(grown < 80_000)
    }

    @Test func `a client that asks for large results and never reads costs little memory`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        let text = String(repeating: "x", count: 900_000)
        let ids = try (0..<8).map { _ in
            try client.submit(#"{"kernel":"echo","input":"\#(text)"}"#)
        }
        for id in ids { #expect(try client.result(id).state == "succeeded") }
        let before = try residentKilobytes(of: runner.worker())
        let deaf = try Conversation(dealer: runner.tcp)
        let asks = ids.map { Array(#"{"id":\#($0)}"#.utf8) }
        var sent = 0
        while sent < 400 {
            let body = asks[sent % asks.count]
            if try deaf.sayRaw([[], protocolName, Array("job.result".utf8), body]) { sent += 1 }
        }
        for _ in 0..<100 { #expect(try client.ask("sys.ping").code == "200") }
        #expect(try client.result(ids[0]).state == "succeeded")
        let grown = try residentKilobytes(of: runner.worker()) - before
        print("Grown by \(grown) kB for a client that does not take its results")
        #expect(grown < 100_000)
        // Nothing is lost: it hears some results, and that the others can be asked for.
        var heard = Set<String>()
        for _ in 0..<400 { heard.insert(try deaf.hear().code) }
        #expect(heard.isSubset(of: ["200", "300", "429"]), "\(heard)")
        #expect(heard.contains("200"))
    }

    @Test func `clients that ask for many middling replies and never read cost little memory`()
        throws
    {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        let tag = "\"\(String(repeating: "\\u0001", count: 200))\""
        let tags = Array(repeating: tag, count: 16).joined(separator: ",")
        let id = try client.submit(#"{"kernel":"echo","input":1,"tags":[\#(tags)]}"#)
        #expect(try client.result(id).state == "succeeded")
        let before = try residentKilobytes(of: runner.worker())
        let body = Array(#"{"id":\#(id)}"#.utf8)
        let deaf = try (0..<5).map { _ in try Conversation(dealer: runner.tcp) }
        for one in deaf {
            // 20 kB each: 80 MB for every one of them.
            try eventually("all is said") { () -> Void? in
                var sent = 0
                while sent < 4_000 {
                    if try one.sayRaw([[], protocolName, Array("job.show".utf8), body]) {
                        sent += 1
                    } else {
                        #expect(try client.ask("sys.ping").code == "200")
                    }
                }
                return ()
            }
        }
        #expect(try client.show(id).state == "succeeded")
        for _ in 0..<100 { #expect(try client.ask("sys.ping").code == "200") }
        let grown = try residentKilobytes(of: runner.worker()) - before
        print("Grown by \(grown) kB for five clients that do not take what they ask for")
        #expect(grown < 200_000)
    }

    @Test func `clients that send faster than the disk writes are told to come back`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        let before = try residentKilobytes(of: runner.worker())
        let flood = try Conversation(dealer: runner.tcp)
        let frame = [UInt8](repeating: 1, count: 12 << 20)
        for _ in 0..<30 {
            try flood.say(
                "job.submit",
                #"{"kernel":"digest","input":{"bytes":{"$frame":2}}}"#,
                frames: [frame]
            )
            #expect(try client.ask("sys.ping").code == "200")
        }
        let codes = try (0..<30).map { _ in try flood.hear().code }
        #expect(codes.allSatisfy { $0 == "200" || $0 == "503" }, "\(codes)")
        let grown = try residentKilobytes(of: runner.worker()) - before
        print(
            "Grown by \(grown) kB for a flood of 360 MiB, \(codes.count { $0 == "503" }) messages refused"
        )
        #expect(grown < 500_000)
    }

    @Test func `a socket on which another runner listens is not taken from it`() throws {
        let runner = try RunnerProcess()
        let directory = try TemporaryDirectory()
        let other = try ChildProcess(
            RunnerProcess.built("millrace"),
            ["serve", "--no-supervise", "--state", directory.path, "--listen", runner.ipc],
            environment: RunnerProcess.environment,
            directory: directory.path
        )
        let code = try eventually("the other stops, or listens") { () -> Int32? in
            if other.output.contains("takes jobs") { return 0 }
            return try? other.waitForEnd(within: .milliseconds(20))
        }
        #expect(code != 0)
        #expect(other.errors.contains("Cannot listen on \(runner.ipc)"), "\(other.errors)")
        #expect(try Conversation(runner.ipc).run == 1)
    }

    @Test func `a supervisor killed while its runner starts leaves no runner behind`() throws {
        var generator = SeededGenerator(seed: 11)
        let runner = try RunnerProcess()
        try runner.killAll()
        for _ in 0..<15 {
            let start = try runner.rival()
            let child = try eventually("it has a child: \(start.errors)") { start.children.first }
            letPass(microseconds: UInt32.random(in: 0...10_000, using: &generator))
            start.signal(SIGKILL)
            try start.waitForEnd()
            try runner.waitForEnd(of: child)
        }
        // The lock is free, or it would not start.
        try runner.restart()
        #expect(try Conversation(runner.ipc).ask("sys.ping").code == "200")
    }

    @Test func `a stop sent to the runner itself ends its supervisor too`() throws {
        let runner = try RunnerProcess()
        kill(try runner.worker(), SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)
    }

    @Test func `a signal right at the start is not lost`() throws {
        let runner = try RunnerProcess()
        runner.process.signal(SIGTERM)
        try runner.process.waitForEnd()
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<15 {
            let start = try runner.rival()
            letPass(microseconds: UInt32.random(in: 0...60_000, using: &generator))
            start.signal(SIGTERM)
            _ = try start.waitForEnd()
        }
        try runner.restart()
    }

    @Test func `a job that gives far too much is refused and costs little memory`() throws {
        let runner = try RunnerProcess()
        let client = try Conversation(runner.ipc)
        let jobs = [
            #"{"sql":"select zeroblob(900000000)"}"#,
            #"{"sql":"select hex(randomblob(400000000))"}"#,
            #"{"sql":"select replace(hex(zeroblob(100000)),'0',hex(zeroblob(100000)))"}"#,
            #"{"sql":"with recursive n(s) as (select 'x' union all select s||s from n) select s from n"}"#,
            #"{"sql":"with recursive n(i) as (select 1 union all select i+1 from n) select group_concat(i) from n","timeout_ms":1000,"max_attempts":1}"#,
        ]
        for job in jobs {
            let said = try client.result(client.submit(job))
            #expect(said.state == "failed", "\(job)")
        }
        #expect(try client.run == 1)
    }
}
