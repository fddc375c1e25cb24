import JobTesting
import Testing

/// Whole lives of a runner, each by one seed: every promise is looked at in every step.
@Suite("Stories") struct StoryTests {
    @Test func `two hundred stories keep every promise`() {
        for seed in UInt64(1)...200 { tell(seed) }
    }

    @Test func `stories that nobody has read yet keep every promise`() throws {
        let row = FaultRow("stories", count: 200)
        var seeds = SeededGenerator(seed: FaultRow.givenSeed ?? .random(in: .min ... .max))
        let broken = try row.run("simulated histories with restarts") { tally in
            for _ in 0..<row.count {
                let seed = seeds.next()
                if !tell(seed) { tally.broken.append("Story \(seed) breaks a promise.") }
                tally.tried += 1
            }
        }
        #expect(broken.isEmpty)
    }

    /// - An attempt was called off before it began, and began beside the next one.
    /// - A submission with `wait_ms` was refused after it had been accepted: its result could not
    ///   be read.
    @Test(arguments: [8_693_009_846_023_573_651, 12_771_284_979_841_292_259] as [UInt64])
    func `stories that once broke a promise keep it`(seed: UInt64) {
        tell(seed)
    }

    @discardableResult
    private func tell(_ seed: UInt64) -> Bool {
        var world = StoryWorld(seed: seed)
        do {
            try world.tell()
            return true
        } catch {
            let story = world.log.suffix(30).joined(separator: "\n")
            Issue.record("Seed \(seed): not so that \(error.sentence).\n\(story)")
            return false
        }
    }
}
