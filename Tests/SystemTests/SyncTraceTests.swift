import Foundation
import JobTesting
import Testing

/// Accepted means synced, seen from outside of the process: in its system calls.
@Suite struct SyncTraceTests {
    @Test func `no acknowledgement leaves before the log is synced`() throws {
        let strace = try #require(
            ["/usr/bin/strace", "/bin/strace"].first(where: FileManager.default.isExecutableFile),
            "strace must be installed: run deploy/test"
        )
        var options = RunnerProcess.Options()
        options.supervised = false
        options.wrapper = [
            strace, "-f", "-yy", "-s", "200", "-o", "@/trace", "-e",
            "trace=fdatasync,fsync,sendto,sendmsg,write,writev,recvfrom,recvmsg,read",
        ]
        let runner = try RunnerProcess(options)
        let client = try Conversation(runner.tcp)
        for n in 0..<100 { _ = try client.submit(#"{"kernel":"echo","input":\#(n)}"#) }
        for n in 0..<20 {
            let jobs = (0..<50).map { #"{"sql":"select \#(n * $0)"}"# }.joined(separator: ",")
            #expect(try client.ask("job.submit", #"{"jobs":[\#(jobs)]}"#).ids.count == 50)
        }
        // Known to be short by now, some of these run before they are written.
        for n in 0..<100 {
            let job = #"{"kernel":"echo","input":\#(n),"wait_ms":60000}"#
            #expect(try client.ask("job.submit", job).text == "\(n)")
        }
        kill(try runner.worker(), SIGTERM)
        #expect(try runner.process.waitForEnd() == 0)

        var trace = SyncTrace()
        let text = try String(
            contentsOfFile: runner.directory.path + "/trace",
            encoding: .isoLatin1
        )
        for line in text.split(separator: "\n") { trace.read(String(line)) }
        #expect(trace.acknowledgements == 220)
        #expect(trace.early.isEmpty, "\(trace.early.prefix(3))")
    }

    private static let request = #"11 recvfrom(20<TCP:[a->b]>, "MDPC01\njob.submit", 8192, 0) = 90"#
    private static let answer =
        #"11 sendto(20<TCP:[a->b]>, "MDPC01\njob.submit\003200", 96, 0) = 96"#
    private static let sync = "12 fdatasync(9</s/millrace.db-wal>) = 0"

    @Test(arguments: [
        ([request, sync, answer], 0),
        ([request, answer], 1),
        ([sync, request, answer, sync], 1),
        ([request, "12 fdatasync(7</s/millrace.db>) = 0", answer], 1),
        ([request, "12 fdatasync(9</s/millrace.db-wal> <unfinished ...>", answer], 1),
        (
            [
                request, "12 fdatasync(9</s/millrace.db-wal> <unfinished ...>",
                "12 <... fdatasync resumed>) = 0", answer,
            ], 0
        ),
        (
            [
                "12 fdatasync(9</s/millrace.db-wal> <unfinished ...>", request,
                "12 <... fdatasync resumed>) = 0", answer,
            ], 1
        ),
        ([request, sync, answer, request, answer], 1),
        (
            [request, "12 fdatasync(9</s/millrace.db-wal>) = -1 EIO (Input/output error)", answer],
            1
        ),
    ])
    func `a trace with an early acknowledgement is told from a good one`(
        lines: [String],
        early: Int
    ) {
        var trace = SyncTrace()
        for line in lines { trace.read(line) }
        #expect(trace.early.count == early)
    }
}
