import Foundation
import JobTesting
import Synchronization
import Testing

/// Whole lives of a runner, each by one seed: every promise is looked at in every step.
///
/// `MILLRACE_TEST_SEED=S MILLRACE_TEST_COUNT=1 swift test --filter JobCoreTests.StoryTests` tells
/// story S alone; with a larger count those that follow it as well.
@Suite("Stories") struct StoryTests {
    @Test func `two hundred stories keep every promise`() throws {
        let row = FaultRow("stories", count: 200)
        let broken = try row.run("simulated histories with restarts") { tally in
            tally.broken = promisesBroken(from: row.seed, count: row.count)
            tally.tried = row.count
        }
        #expect(broken.isEmpty)
    }

    @Test func `two hundred stories that nobody has read yet keep every promise`() {
        #expect(promisesBroken(from: .random(in: .min ... .max), count: 200).isEmpty)
    }

    /// The sentences of the stories that broke a promise, told by all processors.
    private func promisesBroken(from seed: UInt64, count: Int) -> [String] {
        let found = Mutex<[String]>([])
        let processors = min(count, ProcessInfo.processInfo.activeProcessorCount)
        DispatchQueue.concurrentPerform(iterations: processors) { first in
            for place in stride(from: first, to: count, by: processors) {
                guard let sentence = tell(seed &+ UInt64(place)) else { continue }
                found.withLock { $0.append(sentence) }
            }
        }
        return found.withLock(\.self)
    }

    /// - Returns: The promise that was broken. The story is told again, in words, for the reader.
    private func tell(_ seed: UInt64) -> String? {
        guard let sentence = sentence(StoryWorld(seed: seed)) else { return nil }
        let world = StoryWorld(seed: seed)
        world.log.lines = []
        _ = self.sentence(world)
        let story = (world.log.lines ?? []).suffix(60).joined(separator: "\n")
        Issue.record(
            """
            Story \(seed) breaks a promise: it is not so that \(sentence).
            Again: MILLRACE_TEST_SEED=\(seed) MILLRACE_TEST_COUNT=1 \
            swift test --filter JobCoreTests.StoryTests
            The end of it, with the ms since its beginning before each line:
            \(story)
            """
        )
        return "story \(seed): not so that \(sentence)"
    }

    private func sentence(_ story: StoryWorld) -> String? {
        var story = story
        do {
            try story.tell()
            return nil
        } catch {
            return error.sentence
        }
    }
}
