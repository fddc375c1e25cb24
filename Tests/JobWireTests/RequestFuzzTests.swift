import JobCore
import JobTesting
import JobWire
import Testing

/// Random damage to messages is answered or dropped: never worse.
struct RequestFuzzTests {
    /// Messages that are heard, of every service, with every field of a job.
    private static let bodies: [(service: String, body: String, frames: [[UInt8]])] = [
        ("sys.ping", #"{"request":"r"}"#, []),
        ("mmi.service", "job.submit", []),
        ("echo", #"{"request":"r"}"#, [[], [1, 2]]),
        ("titanic.request", "echo", [[1], []]),
        ("titanic.reply", "0123456789abcdef0000000000000007", []),
        ("titanic.close", "0123456789ABCDEF0000000000000007", []),
        ("job.show", #"{"ids":[1,2,3],"request":"r"}"#, []),
        ("job.result", #"{"id":1,"wait_ms":5,"offset":0,"limit":100}"#, []),
        ("job.wait", #"{"ids":[1],"wait_ms":10}"#, []),
        ("job.list", #"{"state":"failed","queue":"q","kind":"sql","after":1,"limit":5}"#, []),
        ("job.cancel", #"{"state":"queued"}"#, []),
        ("queue.pause", #"{"queue":"q"}"#, []),
        (
            "job.submit",
            #"{"kind":"sql","sql":"select \u00e9","params":[1,-2.5e3,"x",null,true,{"base64":"AAE="},"#
                + #"{"real":"inf"},{"$frame":2}],"database":"sales","mode":"write","format":"csv","#
                + #""wait_ms":5,"request":"r"}"#,
            [[1, 2, 3]]
        ),
        (
            "job.submit",
            #"{"jobs":[{"kernel":"sum","input":{"numbers":[1,2,3]},"parts":4,"queue":"q","#
                + #""priority":-5,"delay_ms":9,"timeout_ms":11,"max_attempts":4},"#
                + #"{"sql":"a","params":{"a":1},"backoff":{"first_ms":5,"longest_ms":6},"#
                + #""key":"k","name":"n","tags":["t"],"keep_ms":7,"ready_at":3}]}"#,
            []
        ),
        (
            "job.submit",
            #"{"command":["gzip","-9"],"env":{"A":"b","C":""},"input":{"$frame":2},"wait_ms":5}"#,
            [[1, 2, 3]]
        ),
    ]

    @Test func `damaged messages never trap, and what is accepted is valid`() throws {
        let row = FaultRow("garbage", count: 100_000)
        // Of a large number a tenth goes over sockets: SystemTests.FuzzTests.
        let messages = max(min(row.count, 100_000), row.count / 10 * 9)
        var found = (requests: 0, refusals: 0, drops: 0)
        _ = try row.run("damaged messages to the parser") { tally in
            let ear = Ear(catalog)
            var random = SeededGenerator(seed: row.seed)
            for round in 0..<messages { hear(round, ear, &random, &found) }
            tally.tried = messages
            tally.notes = ["\(found)"]
        }
        #expect(found.requests > messages / 25)
        #expect(found.refusals > messages / 5)
        #expect(found.drops > messages / 100)
    }

    private func hear(
        _ round: Int,
        _ ear: Ear,
        _ random: inout SeededGenerator,
        _ found: inout (requests: Int, refusals: Int, drops: Int)
    ) {
        let sample = Self.bodies[round % Self.bodies.count]
        var frames = message(sample.service, Array(sample.body.utf8)) + sample.frames
        let isWild = round / Self.bodies.count % 2 == 0
        if isWild { damageFrames(&frames, &random) }
        for _ in 0..<Int.random(in: 1...3, using: &random) where frames.count > 4 {
            damageBytes(&frames[4], &random)
        }
        switch ear.hear(frames) {
        case .request(let request, _):
            found.requests += 1
            check(request)
        case .refused(let message):
            found.refusals += 1
            if round % 50 == 0 { checkReply(message) }
        case .dropped: found.drops += 1
        }
    }

    /// What a client may rely on, of whatever was accepted.
    private func check(_ request: Request) {
        switch request {
        case .call(let job, _), .titanicRequest(let job):
            let work = try? ComputeWork(job.spec.body, frames: job.spec.frames)
            if work?.isCall != true || job.spec.frames.isEmpty { Issue.record("\(job)") }
        default: break
        }
        guard case .submit(let jobs, _, let waitMs) = request else { return }
        if jobs.isEmpty || !(0...60_000).contains(waitMs ?? 0) { Issue.record("\(request)") }
        for job in jobs {
            let spec = job.spec
            let isBounded =
                Limits.priorities.contains(spec.priority)
                && Limits.timeouts.contains(spec.timeoutMs) && Limits.parts.contains(spec.parts)
                && Limits.attempts.contains(spec.retry.maxAttempts)
                && spec.retry.firstMs <= spec.retry.longestMs
            let isReadable =
                switch spec.kind {
                case .sql: (try? SQLWork(spec.body, frames: spec.frames)) != nil
                case .compute: (try? ComputeWork(spec.body, frames: spec.frames)) != nil
                case .command: (try? CommandWork(spec.body, frames: spec.frames)) != nil
                }
            // Not `#expect`, which costs more than the parser.
            if !isBounded || !isReadable { Issue.record("\(spec)") }
        }
    }

    /// A refusal is a reply that a client can read.
    private func checkReply(_ message: Message) {
        let frames = JobWire.frames(for: message, now: Timestamp(rawValue: 0))
        #expect((try? Response(Array(frames.dropFirst())).status).map { $0 >= 400 } == true)
    }

    private func damageFrames(_ frames: inout [[UInt8]], _ random: inout SeededGenerator) {
        let place = Int.random(in: 0..<frames.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: frames.remove(at: place)
        case 1: frames.insert([], at: place)
        case 2: frames.append([7])
        case 3: frames.swapAt(place, Int.random(in: 0..<frames.count, using: &random))
        default: damageBytes(&frames[place], &random)
        }
    }

    private func damageBytes(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        guard !bytes.isEmpty else { return bytes.append(0x7B) }
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: place)
        case 2:
            bytes[place] = Array("0123456789-.eE\"{}[],:".utf8).randomElement(using: &random) ?? 0
        case 3: bytes.insert(contentsOf: bytes[place...].prefix(8), at: place)
        default: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
    }
}
