import JobTesting
import JobWire
import Testing

/// The built-in kernels over the wire, whole and in parts.
@Suite struct KernelTests {
    let runner: RunnerProcess
    let client: Conversation

    init() throws {
        runner = try RunnerProcess()
        client = try Conversation(runner.tcp)
    }

    private static let puzzle =
        "8..........36......7..9.2...5...7.......457.....1...3...1....68..85...1..9....4.."
    private static let solution =
        "812753649943682175675491283154237896369845721287169534521974368438526917796318452"

    static let work: [(kernel: String, input: String, result: String)] = [
        ("sum", #"{"numbers":[1,2.5,-3]}"#, #"{"sum":0.5,"count":3}"#),
        ("sum", #"{"numbers":[9007199254740993,1]}"#, #"{"sum":9007199254740994,"count":2}"#),
        ("sum", #"{"numbers":[1e300,1,-1e300]}"#, #"{"sum":1.0,"count":3}"#),
        ("sum", #"{"numbers":[]}"#, #"{"sum":0,"count":0}"#),
        ("primes", #"{"below":1000000}"#, #"{"count":78498,"largest":999983}"#),
        ("primes", #"{"below":3}"#, #"{"count":1,"largest":2}"#),
        ("count", #"{"to":1000000}"#, #"{"count":1000000}"#),
        ("sudoku", #"{"puzzles":["\#(puzzle)"]}"#, #"{"solutions":["\#(solution)"]}"#),
        (
            "sudoku", #"{"puzzles":["\#(puzzle)","\#(puzzle)","\#(puzzle)"]}"#,
            #"{"solutions":["\#(solution)","\#(solution)","\#(solution)"]}"#
        ),
    ]

    @Test(arguments: work, [nil, 1, 2, 7, 64])
    func `a kernel gives the same result in any number of parts`(
        work: (kernel: String, input: String, result: String),
        parts: Int?
    ) throws {
        let divided = parts.map { #","parts":\#($0)"# } ?? ""
        let id = try client.submit(
            #"{"kernel":"\#(work.kernel)","input":\#(work.input)\#(divided)}"#
        )
        let said = try client.result(id)
        #expect(said.state == "succeeded", "\(said.head)")
        #expect(said.text == work.result)
        #expect(said["format"] == "json")
    }

    @Test func `parts do not show in lists, and their sum is progress`() throws {
        let id = try client.submit(#"{"kernel":"primes","input":{"below":2000000},"parts":7}"#)
        _ = try client.result(id)
        let list = try client.ask("job.list", #"{"limit":100}"#)["jobs"]?.arrayValue ?? []
        #expect(list.map { $0["id"]?.integerValue } == [id])
        let shown = try client.show(id)
        #expect(shown["progress"] == ["done": 7, "total": 7], "\(shown.head)")
        #expect(shown["attempt"]?.integerValue == 2, "split and reduce: \(shown.head)")
    }

    @Test func `a divided job that is cancelled takes its parts along`() throws {
        let id = try client.submit(
            #"{"kernel":"count","input":{"to":9000000000000000},"parts":16}"#
        )
        let shown = try client.waitUntil(id) { $0["waits_for"] == 16 }
        #expect(shown["waiting"] == "blocked")
        #expect(shown["why"] == "It waits for 16 parts.")
        #expect(try client.ask("job.cancel", #"{"id":\#(id)}"#).code == "200")
        #expect(try client.result(id).state == "cancelled")
        #expect(try client.result(client.submit(#"{"kernel":"echo","input":1}"#)).text == "1")
        let counts = try client.ask("sys.stats")["counts"]
        #expect(counts?["queued"] == 0 && counts?["running"] == 0, "\(String(describing: counts))")
    }

    @Test func `a divided job fails with the error of its part`() throws {
        let id = try client.submit(
            #"{"kernel":"sum","input":{"numbers":[9223372036854775807,1,1,1]},"parts":2}"#
        )
        let said = try client.result(id)
        #expect(said.state == "failed")
        #expect(said.errorCode == "kernel_error")
    }

    @Test(arguments: [
        ("sum", #"{"numbers":["one"]}"#), ("sum", #"{"numbrs":[1]}"#), ("count", #"{"to":-1}"#),
        ("primes", #"{"below":1000000000001}"#), ("sudoku", #"{"puzzles":[1]}"#),
        ("digest", #"{"text":"a","bytes":{"$frame":2}}"#), ("sleep", "null"),
    ])
    func `input that can never do fails at once and says why`(kernel: String, input: String) throws
    {
        let frames: [[UInt8]] = kernel == "digest" ? [[1]] : []
        let said = try client.ask(
            "job.submit",
            #"{"kernel":"\#(kernel)","input":\#(input)}"#,
            frames: frames
        )
        let result = try client.result(said.id)
        #expect(result.state == "failed")
        #expect(result.errorCode == "kernel_error")
        #expect(result["attempt"] == 1)
        #expect(result["error"]?["message"]?.stringValue?.isEmpty == false)
    }

    @Test func `a puzzle without or with several solutions is told so`() throws {
        let empty = String(repeating: ".", count: 81)
        let wrong = "11" + String(repeating: ".", count: 79)
        let said = try client.result(
            client.submit(#"{"kernel":"sudoku","input":{"puzzles":["\#(empty)","\#(wrong)"]}}"#)
        )
        let result = try JSON(parsing: try #require(said.frames.first))
        let errors = result["solutions"]?.arrayValue?.map { $0["error"]?.stringValue }
        #expect(errors?.count == 2)
        #expect(errors?.contains(nil) == false)
        #expect(errors?[0] != errors?[1])
    }

    @Test func `binary frames reach kernels and come back, byte for byte`() throws {
        let bytes: [UInt8] = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let dealer = try Conversation(dealer: runner.ipc)
        let echo = try dealer.ask(
            "job.submit",
            #"{"kernel":"echo","input":{"$frame":3},"wait_ms":20000}"#,
            frames: [[1, 2], bytes]
        )
        guard echo.code == "200" else {
            // A frame that nobody refers to is a mistake.
            #expect(echo.errorCode == "unused_frame", "\(echo.head)")
            let again = try dealer.ask(
                "job.submit",
                #"{"kernel":"echo","input":{"$frame":2},"wait_ms":20000}"#,
                frames: [bytes]
            )
            #expect(again.frames == [bytes])
            #expect(again["format"] == "bytes")
            return try digest(dealer)
        }
        #expect(echo.frames == [bytes])
        try digest(dealer)
    }

    private func digest(_ client: Conversation) throws {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        let said = try client.ask(
            "job.submit",
            #"{"kernel":"digest","input":{"bytes":{"$frame":2}},"wait_ms":20000}"#,
            frames: [Array("abc".utf8)]
        )
        #expect(said.text == #"{"sha256":"\#(abc)"}"#)
        let text = try client.ask(
            "job.submit",
            #"{"kernel":"digest","input":{"text":"abc"},"wait_ms":20000}"#
        )
        #expect(text.text == said.text)
    }

    @Test func `echo keeps white space`() throws {
        let said = try client.ask(
            "job.submit",
            #"{"kernel":"echo","input": { "a" :  [1 , 2.50] } ,"wait_ms":20000}"#
        )
        #expect(said.text == #"{ "a" :  [1 , 2.50] }"#)
    }
}
