import JobTesting
import JobWire
import Testing

/// Messages that are far too large, in every dimension: refused at once, while others are served.
@Suite(.serialized) struct HugeTests {
    private struct Monster {
        let name: String
        /// As a dealer sends them.
        let frames: [[UInt8]]

        var isShapeless: Bool { frames[1].isEmpty }
    }

    private static func submission(_ body: String, _ frames: [[UInt8]] = []) -> [[UInt8]] {
        [[], Array("MDPC01".utf8), Array("job.submit".utf8), Array(body.utf8)] + frames
    }

    private static func text(_ piece: String, _ count: Int) -> String {
        String(repeating: piece, count: count)
    }

    private static let monsters: [Monster] = [
        .init(
            name: "21 MB in seven frames",
            frames: submission(
                #"{"kernel":"echo","input":{"$frame":2}}"#,
                Array(repeating: [UInt8](repeating: 1, count: 3 << 20), count: 7)
            )
        ),
        .init(
            name: "a million frames",
            frames: submission("{}", Array(repeating: [1], count: 1_000_000))
        ),
        .init(name: "a million empty frames", frames: Array(repeating: [], count: 1_000_000)),
        .init(name: "JSON a million deep", frames: submission(text("[", 1_000_000))),
        .init(
            name: "objects a million deep",
            frames: submission(#"{"kernel":"echo","input":"# + text(#"{"a":"#, 1_000_000))
        ),
        .init(
            name: "a number of ten million digits",
            frames: submission(#"{"kernel":"echo","priority":"# + text("9", 10_000_000) + "}")
        ),
        .init(
            name: "a job of 15 MB",
            frames: submission(#"{"sql":""# + text("x", 15_000_000) + #""}"#)
        ),
        .init(
            name: "a million members",
            frames: submission("{" + text(#""a":1,"#, 1_000_000) + #""sql":"select 1"}"#)
        ),
        .init(
            name: "two million jobs",
            frames: submission(#"{"jobs":["# + text("{},", 2_000_000) + "{}]}")
        ),
        .init(
            name: "ten million escapes",
            frames: submission(#"{"sql":""# + text(#"\n"#, 7_000_000) + #""}"#)
        ),
    ]

    @Test func `what is far too large is refused at once and by name`() throws {
        let row = FaultRow("huge", count: 1)
        let broken = try row.run("messages far too large") { tally in
            let runner = try RunnerProcess()
            let before = try residentKilobytes(of: runner.worker())
            let bystander = Bystander(runner.tcp)
            var codes: [String] = []
            var slowest = (name: "", wait: Duration.zero)
            for monster in Self.monsters {
                let client = try Conversation(dealer: runner.ipc)
                let start = ContinuousClock.now
                try #require(try client.sayRaw(monster.frames))
                // What has no shape is dropped, and a question behind it is answered all the same.
                if monster.isShapeless { try client.say("sys.nothing") }
                let said = try client.hear()
                let wait = ContinuousClock.now - start
                if wait > slowest.wait { slowest = (monster.name, wait) }
                if !["400", "404", "413", "422"].contains(said.code) {
                    tally.broken.append("\(monster.name) was answered \(said.code): \(said.head)")
                }
                codes.append(said.code)
                tally.tried += 1
            }
            let waits = try bystander.waits()
            tally.broken += waits.problems
            let after = try residentKilobytes(of: runner.worker())
            tally.notes = [
                "answers \(codes.joined(separator: " "))",
                "slowest \(slowest.wait.inMs) ms (\(slowest.name))", "\(waits)",
                "memory \(before) kB before, \(after) kB after",
            ]
            if try Conversation(runner.ipc).run != 1 { tally.broken.append("It started anew.") }
        }
        #expect(broken.isEmpty, "\(broken)")
    }
}
