import Foundation
import JobTesting
import JobWire
import Testing

/// The bench as people run it, so small that its figures mean nothing but that all was done.
@Suite struct BenchTests {
    private func bench(_ arguments: [String], in directory: TemporaryDirectory) throws -> Command {
        try Command(
            ["bench", "--directory", directory.path] + arguments,
            state: directory.path + "/nobody",
            in: directory.path
        )
    }

    /// What the bench or its runners have left.
    private func leftovers(in directory: TemporaryDirectory) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.path)
            .filter { $0.hasPrefix("millrace-bench") }
    }

    private static let rows = [
        "A", "A1", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M",
    ]

    @Test func `every row is measured as often as asked, and nothing stays behind`() throws {
        let directory = try TemporaryDirectory()
        let small = ["--scale", "0.0005", "--jobs", "20", "--waiting", "50", "--repeat", "2"]
        let ended = try bench(small + ["--batch", "8", "--json"], in: directory)
        #expect(ended.code == 0, "\(ended.errors)")
        let report = try ended.json
        let figures = try #require(report["figures"]?.arrayValue)
        #expect(Set(figures.compactMap { $0["row"]?.stringValue }) == Set(Self.rows))
        for figure in figures {
            let values = figure["values"]?.arrayValue?.compactMap(\.realValue) ?? []
            #expect(values.count == 2, "\(figure)")
            #expect(figure["min"]?.realValue == values.min())
            #expect(figure["max"]?.realValue == values.max())
            #expect(values.allSatisfy { $0 >= 0 && $0.isFinite })
        }
        for histogram in report["histograms"]?.arrayValue ?? [] {
            let counts = histogram["buckets"]?.arrayValue?.compactMap { $0["count"]?.integerValue }
            #expect(counts?.reduce(0, +) == 40, "\(histogram)")
        }
        let names = report["histograms"]?.arrayValue?.compactMap { $0["name"]?.stringValue }
        #expect(names == ["C ipc", "C tcp", "F sys.ping", "F bare echo", "G"])
        #expect(report["settings"]?["batch"] == 8)
        #expect(report["machine"]?["cores"]?.integerValue ?? 0 > 0)
        #expect(try leftovers(in: directory) == [])
    }

    @Test func `a runner that is there already can be measured`() throws {
        let runner = try RunnerProcess()
        let ended = try bench(
            ["A", "a1", "C", "--jobs", "20", "--repeat", "1", "--clients", "2"]
                + ["--connect", runner.tcp],
            in: runner.directory
        )
        #expect(ended.code == 0, "\(ended.errors)")
        #expect(ended.output.split(separator: "\n").count { $0.hasPrefix("C\t") } == 3)
        #expect(ended.errors.contains("C tcp: how many took at most so long"))
        let queue = try runner.command("queue", "list", "--json").json.arrayValue?
            .first { $0["queue"] == "bench" }
        // One more on each connection, before the clock runs.
        #expect(queue?["counts"]?["succeeded"] == 62)

        let refused = try bench(["D", "--connect", runner.tcp], in: runner.directory)
        #expect(refused.code == 64)
        #expect(refused.errors.contains("Row D needs a runner of its own"))
        #expect(try bench(["Z"], in: runner.directory).code == 64)
    }

    @Test func `a bench that is stopped takes its runner and its files along`() throws {
        let directory = try TemporaryDirectory()
        let process = try Command.start(
            ["bench", "A", "--jobs", "10000000", "--directory", directory.path],
            state: directory.path + "/nobody",
            in: directory.path
        )
        let supervisor = try eventually("the bench has a runner") { process.children.first }
        _ = try eventually("the runner is ready") {
            FileManager.default.fileExists(atPath: "/proc/\(supervisor)") ? true : nil
        }
        process.signal(SIGTERM)
        #expect(try process.waitForEnd() != 0)
        #expect(process.errors.contains("The bench was stopped."))
        _ = try eventually("the runner ends") { isAlive(supervisor) ? nil : true }
        #expect(try leftovers(in: directory) == [])
    }
}
