import JobClient
import JobCore
import JobTesting
import JobWire
import Testing

/// The library's client for tasks, against the built runner.
@Suite struct AsyncClientTests {
    @Test func `the example of the clients' page works`() async throws {
        var said: [String] = []
        func print(_ words: Any...) { said.append(words.map { "\($0)" }.joined(separator: " ")) }
        let runner = try RunnerProcess()
        let endpoint = runner.tcp

        let client = try AsyncJobClient(endpoint: endpoint)
        var job = NewJob(.sql("SELECT ? * 7 AS answer", parameters: [6]))
        job.format = "csv"
        let id = try await client.submit(job).id
        if let result = try await client.result(of: id) {
            print(result.end.state, String(decoding: result.bytes, as: UTF8.self))
        }
        for try await piece in client.pieces(of: id) { print(piece.count) }

        #expect(said == ["succeeded answer\r\n42\r\n", "12"])
    }

    @Test func `a thousand tasks get their results, also when the runner is killed meanwhile`()
        async throws
    {
        let runner = try RunnerProcess()
        var options = JobClient.Options()
        options.tries = 60
        let client = try AsyncJobClient(endpoint: runner.ipc, options: options)
        let halfway = AsyncStream<Void>.makeStream()
        let results = Task {
            try await withThrowingTaskGroup(of: (Int64, [UInt8]).self) { tasks in
                for number in Int64(0)..<1_000 {
                    tasks.addTask {
                        let job = NewJob(.kernel("sum", input: ["numbers": [.integer(number)]]))
                        let id = try await client.submit(job).id
                        return (number, try await client.result(of: id)?.bytes ?? [])
                    }
                }
                var results: [Int64: String] = [:]
                for try await (number, bytes) in tasks {
                    results[number] = String(decoding: bytes, as: UTF8.self)
                    if results.count == 100 { halfway.continuation.finish() }
                }
                return results
            }
        }
        for await _ in halfway.stream {}
        try runner.killAll()
        try runner.restart()
        let found = try await results.value
        #expect(found.count == 1_000)
        #expect(found.allSatisfy { $0.value == #"{"sum":\#($0.key),"count":1}"# })
        let counts = try await client.statistics()["counts"]
        #expect(counts?["succeeded"] == 1_000 && counts?["failed"] == 0)
    }
}
