internal import Glibc
internal import JobRunner

/// A program that has a runner within it, and looks after its signals itself.
///
/// It says what it does, line by line. Each SIGTERM takes it one step on: the runner still works
/// then, and is stopped; it is started again; it is stopped; and the program ends.
enum EmbeddingProgram {
    /// Needs the calling thread, the process's first, for the signals.
    static func run(_ runner: Runner) -> Never {
        blockStop()
        let (stops, signals) = AsyncStream<Void>.makeStream()
        Task.detached {
            do {
                try await work(runner, stops)
                exit(0)
            } catch {
                say("It failed: \(error)")
                exit(1)
            }
        }
        while true {
            waitForStop()
            signals.yield()
        }
    }

    private static func work(_ runner: Runner, _ stops: AsyncStream<Void>) async throws {
        var stops = stops.makeAsyncIterator()
        for _ in 1...2 {
            let mill = try await runner.start()
            do {
                _ = try await runner.start()
            } catch RunnerError.alreadyRunning {
                say("There is one runner.")
            }
            try await say(echo("first", in: mill))
            say("millrace takes jobs at \(mill.endpoints.joined(separator: ", ")).")
            await stops.next()
            try await say(echo("second", in: mill))
            say("It has ended, and was \(try await mill.stop()).")
            do {
                _ = try await mill.submit(NewJob(.kernel("echo")))
            } catch ClientError.closed {
                say("Nobody can ask it.")
            }
            await stops.next()
        }
    }

    private static func echo(_ text: String, in mill: EmbeddedRunner) async throws -> String {
        var job = NewJob(.kernel("echo", input: ["$frame": 2]))
        job.frames = [Array(text.utf8)]
        let id = try await mill.submit(job)
        guard let result = try await mill.result(of: id) else { return "no end" }
        return "\(result.end.state): \(String(decoding: result.bytes, as: UTF8.self))"
    }

    private static func say(_ text: String) {
        print(text)
        fflush(nil)
    }

    private static func blockStop() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }
}
