import Foundation
import JobTesting
import JobWire
import Testing

/// The machine's clock jumps back and forth under load, by hours and by a year, and the runner is
/// killed in between: nothing is lost and nothing runs twice.
@Suite struct ClockTests {
    private static let jumps = ["+1h", "-1h", "+400d", "-2d", "-400d", "+3m", "+0"]

    @Test func `a clock that jumps loses nothing and repeats nothing`() throws {
        let row = FaultRow("clock", count: 1)
        let library = try #require(
            FileManager.default.subpaths(atPath: "/usr/lib")?.first {
                $0.hasSuffix("faketime/libfaketimeMT.so.1")
            },
            "faketime must be installed: run deploy/test"
        )
        let broken = try row.run("jumps of the clock") { tally in
            let directory = try TemporaryDirectory()
            let clock = directory.path + "/clock"
            func jump(_ offset: String) throws {
                try "\(offset)\n".write(toFile: clock, atomically: true, encoding: .utf8)
            }
            try jump("+0")
            var options = RunnerProcess.Options()
            options.supervised = false
            // libfaketime wants a parent that has loaded it before.
            options.wrapper = ["/bin/sh", "-c", "$*; exit", "sh"]
            options.environment = [
                "LD_PRELOAD": "/usr/lib/\(library)", "FAKETIME_NO_CACHE": "1",
                "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "NO_FAKE_STAT": "1",
            ]
            let siege = try Siege(seed: row.seed, options, in: directory)
            for round in 0..<row.count {
                for (place, offset) in Self.jumps.enumerated() {
                    let client = try Conversation(siege.runner.ipc)
                    let delayed = try client.submit(#"{"kernel":"echo","input":1,"delay_ms":200}"#)
                    try jump(offset)
                    _ = try siege.press()
                    if try client.result(delayed).text != "1" { tally.broken.append("\(offset)") }
                    try client.ask("job.delete", #"{"id":\#(delayed)}"#)
                    tally.tried += 1
                    guard (place + round).isMultiple(of: 2) else { continue }
                    try siege.runner.killAll()
                    try siege.book.listen()
                    try siege.comeBack { try siege.runner.restart() }
                    if offset == "+400d" { try requireJump(of: siege.runner) }
                }
            }
            tally.broken += try siege.reckon()
            tally.notes.append("\(siege.book.acknowledged.count) jobs acknowledged")
        }
        #expect(broken.isEmpty, "\(broken.prefix(10))")
    }

    /// The runner's clock really is in another year.
    private func requireJump(of runner: RunnerProcess) throws {
        let client = try Conversation(runner.ipc)
        let id = try client.submit(#"{"kernel":"echo","input":1}"#)
        _ = try client.result(id)
        let madeAt = try client.show(id)["created_at"]
        let ahead = Double(madeAt?.integerValue ?? 0) / 1_000 - Date().timeIntervalSince1970
        try #require(ahead > 399 * 86_400)
        try client.ask("job.delete", #"{"id":\#(id)}"#)
    }
}
