import Foundation
import JobTesting
import JobWire
import Testing

/// A hundred thousand messages that nobody should send, over both transports, bytes that are no
/// messages at all, and connections that never come to the point. The runner must answer all the
/// while and afterwards, in the same process and in bounded memory.
@Suite(.serialized) struct FuzzTests {
    /// Far above what the program needs, far below what a leak of all these messages would take.
    private static let mostKilobytes = 600_000
    /// Messages between two looks at the process.
    private static let together = 50_000

    @Test func `damaged messages leave the runner answering`() throws {
        let row = FaultRow("garbage", count: 100_000)
        // Of a large number most go to the parser alone: JobWireTests.
        let messages = max(min(row.count, 100_000), row.count / 10)
        let broken = try row.run("damaged messages over sockets") { tally in
            let runner = try RunnerProcess()
            let client = try Conversation(runner.ipc)
            let run = try client.run
            let before = try residentKilobytes(of: runner.worker())
            let bystander = Bystander(runner.tcp)
            let loris = try (0..<200).map { _ in try RawConnection(to: runner.port) }
            var mutator = Mutator(generator: SeededGenerator(seed: row.seed))
            while tally.tried < messages {
                let count = min(messages - tally.tried, Self.together)
                let isLocal = tally.tried / Self.together % 2 == 0
                try flood(isLocal ? runner.ipc : runner.tcp, count, &mutator)
                for n in 0..<100 { try noise(n, runner.port, &mutator) }
                // One byte of a greeting at a time.
                for slow in loris { slow.say([0xFF]) }
                tally.tried += count
                try #require(try client.ask("sys.ping").code == "200")
                try #require(try client.run == run, "The process must be the same.")
            }
            let waits = try bystander.waits()
            let kilobytes = try residentKilobytes(of: runner.worker())
            tally.notes = ["\(waits)", "memory \(before) kB before, \(kilobytes) kB after"]
            tally.broken += waits.problems
            if kilobytes > Self.mostKilobytes { tally.broken.append("It has \(kilobytes) kB.") }
            // And it still works.
            _ = try client.ask("job.cancel", #"{"state":"running"}"#)
            let id = try client.submit(
                #"{"kernel":"echo","input":7,"priority":100,"queue":"last"}"#
            )
            #expect(try client.result(id).text == "7")
        }
        #expect(broken.isEmpty, "\(broken)")
    }

    private func flood(_ endpoint: String, _ count: Int, _ mutator: inout Mutator) throws {
        let dealer = try Conversation(dealer: endpoint)
        var codes: [String: Int] = [:]
        for n in 0..<count {
            let message = n.isMultiple(of: 2) ? mutator.damagedRequest() : mutator.garbage()
            while try !dealer.sayRaw(message) {
                if let said = try dealer.hearIfAny(within: .milliseconds(10)) {
                    codes[said.code, default: 0] += 1
                }
            }
            while n.isMultiple(of: 16), let said = try dealer.hearIfAny() {
                codes[said.code, default: 0] += 1
            }
        }
        try dealer.say("sys.ping", #"{"request":"the end"}"#)
        while true {
            let said = try dealer.hear()
            if said["request"] == "the end" { break }
            codes[said.code, default: 0] += 1
        }
        // A third and more of all messages were read as jobs: their answer names a code or a field.
        let read = codes["200", default: 0] + codes["422", default: 0] + codes["409", default: 0]
        #expect(read > count / 5)
        print("Answers over \(endpoint.prefix(3)): \(codes.sorted { $0.key < $1.key })")
        #expect(codes["500"] == nil, "A client's message is never our fault.")
        #expect(codes["400", default: 0] + codes["422", default: 0] > count / 10)
    }

    /// Bytes straight to the port: half of them begin like ZeroMQ does.
    private func noise(_ n: Int, _ port: UInt16, _ mutator: inout Mutator) throws {
        let greeting: [UInt8] =
            [0xFF] + Array(repeating: 0, count: 8) + [0x7F, 3, 0] + Array("NULL".utf8)
            + Array(repeating: 0, count: 48)
        // The peer may hang up in the middle, and well it may.
        let connection = try RawConnection(to: port)
        connection.say((n.isMultiple(of: 2) ? greeting : []) + mutator.bytes(upTo: 2_000))
    }
}

/// Makes messages out of chance.
private struct Mutator {
    var generator: SeededGenerator

    private static let requests: [(service: String, body: String)] = [
        ("job.submit", #"{"kind":"sql","sql":"select ?1 + 1 as x","params":[41],"priority":5}"#),
        ("job.submit", #"{"sql":"select :a","params":{"a":{"base64":"AP8="}},"format":"csv"}"#),
        (
            "job.submit",
            #"{"kernel":"sum","input":{"numbers":[1,2.5,-3e4]},"parts":3,"delay_ms":7}"#
        ),
        ("job.submit", #"{"jobs":[{"sql":"select 1","key":"k"},{"kernel":"echo","input":"é☃"}]}"#),
        (
            "job.submit",
            #"{"kernel":"primes","input":{"below":100},"max_attempts":2,"tags":["a","b"]}"#
        ),
        (
            "job.submit",
            #"{"kernel":"echo","input":{"a":[null,true,"\u00e9\n"]},"backoff":{"first_ms":1,"longest_ms":2}}"#
        ),
        ("job.submit", #"{"kernel":"digest","input":{"bytes":{"$frame":2}},"timeout_ms":500}"#),
        ("job.submit", #"{"sql":"select 1","queue":"q","name":"n","keep_ms":1000,"wait_ms":1}"#),
        (
            "job.submit",
            #"{"kernel":"sudoku","input":{"puzzles":["8..........36......7..9.2..."]}}"#
        ),
        ("job.show", #"{"ids":[1,2,3],"request":"r"}"#),
        ("job.result", #"{"id":1,"offset":0,"limit":10,"wait_ms":1}"#),
        ("job.list", #"{"state":"queued","after":5,"limit":3,"queue":"q","kind":"sql"}"#),
        ("job.wait", #"{"ids":[1],"wait_ms":1}"#),
        ("job.cancel", #"{"ids":[1,2]}"#), ("job.retry", #"{"id":1}"#),
        ("job.delete", #"{"id":3}"#), ("queue.list", "{}"), ("mmi.service", "job.submit"),
    ]
    private static let tokens = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0000", "\\ud800", "null", "true", "-",
        "1e999",
        "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e-999", "0.1",
        "\u{0}",
        "\"$frame\":99", "\"$frame\":-1", "\"base64\":\"=\"", "\"sql\"", "\"input\"", "\"jobs\":[",
        "\u{FEFF}", "18446744073709551616", "\"parts\":1024", "\"params\":[[]]",
    ]

    private static let fields = [
        "kind", "sql", "params", "database", "mode", "format", "kernel", "input", "parts", "queue",
        "priority", "ready_at", "delay_ms", "timeout_ms", "max_attempts", "backoff", "key", "name",
        "tags", "keep_ms", "request", "wait_ms", "after", "each", "command", "env", "dry_run",
        "jobs", "",
    ]
    private static let values = [
        "null", "true", "0", "-1", "1", "7", "100", "1024", "9223372036854775807", "1e308", "-0.0",
        "18446744073709551616", "\"\"", "\"a\"", "\"sql\"", "\"write\"", "\"csv\"", "\"\\u0000\"",
        "[]", "[1,\"two\",null]", "{}", "{\"a\":1}", "{\"$frame\":2}", "{\"base64\":\"AP8=\"}",
        "{\"real\":\"inf\"}", "{\"first_ms\":1,\"longest_ms\":5}", "[[[]]]", "[\"x\",\"x\"]",
        "{\"numbers\":[1,2]}", "{\"below\":50}", "\"sum\"", "\"primes\"", "\"echo\"",
        "1795261132904",
    ]

    private mutating func below(_ bound: Int) -> Int {
        Int.random(in: 0..<bound, using: &generator)
    }

    mutating func bytes(upTo most: Int) -> [UInt8] {
        (0..<below(most)).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    /// A job of known fields and of values that belong to others, or to nobody.
    private mutating func confusedJob() -> String {
        let members = (0...below(6)).map { _ in
            let name = Self.fields[below(Self.fields.count)]
            return "\"\(name)\":\(Self.values[below(Self.values.count)])"
        }
        let work = below(2) == 0 ? #""sql":"select 1""# : #""kernel":"sum","input":{"numbers":[1]}"#
        return "{" + (below(4) > 0 ? [work] + members : members).joined(separator: ",") + "}"
    }

    /// Half of them damaged in their bytes, half in their sense. Most are submissions.
    mutating func damagedRequest() -> [[UInt8]] {
        if below(2) == 0 {
            let jobs = (0...below(3)).map { _ in confusedJob() }
            let body = jobs.count == 1 ? jobs[0] : #"{"jobs":[\#(jobs.joined(separator: ","))]}"#
            return [[], Array("MDPC01".utf8), Array("job.submit".utf8), Array(body.utf8)]
        }
        let isSubmission = below(4) > 0
        let choice = isSubmission ? below(9) : below(Self.requests.count)
        let (service, text) = Self.requests[choice]
        var body = Array(text.utf8)
        for _ in 0...below(3) { damage(&body) }
        var message: [[UInt8]] = [[], Array("MDPC01".utf8), Array(service.utf8), body]
        for _ in 0..<below(3) { message.append(bytes(upTo: 40)) }
        return message
    }

    private mutating func damage(_ body: inout [UInt8]) {
        guard !body.isEmpty else { return }
        let place = below(body.count)
        // A piece of it, short enough to hit one token or two.
        let end = min(body.count, place + below(12))
        switch below(8) {
        case 0: body[place] = UInt8.random(in: 0...255, using: &generator)
        case 1: body.removeSubrange(place..<end)
        case 2: body.insert(contentsOf: body[place..<end], at: below(body.count))
        case 3: body.removeSubrange(place...)
        case 4:
            let depth = below(2_000)
            body.insert(contentsOf: Array(repeating: UInt8(ascii: "["), count: depth), at: place)
        default: body.insert(contentsOf: Self.tokens[below(Self.tokens.count)].utf8, at: place)
        }
    }

    /// Frames without sense; some with the right ones in front.
    mutating func garbage() -> [[UInt8]] {
        var message: [[UInt8]] = below(4) > 0 ? [[]] : []
        if below(4) > 0 { message.append(Array("MDPC01".utf8)) }
        if below(3) == 0 {
            message.append(Array(Self.requests[below(Self.requests.count)].service.utf8))
        }
        for _ in 0..<below(below(10) == 0 ? 30 : 5) { message.append(bytes(upTo: 60)) }
        return message.isEmpty ? [[]] : message
    }
}
