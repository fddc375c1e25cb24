import Testing

@testable import JobRunner

@Suite("Threads") struct ThreadTests {
    @Test func `a thread that cannot be had is said to be missing, and never ends`() {
        let letters = Mailbox<String>()
        let ended = { @Sendable in letters.put("ended") }
        // More than any address space has.
        #expect(!tryToStartThread("huge", stackBytes: 1 << 56, ended: ended) { letters.put("ran") })
        #expect(tryToStartThread("small", ended: ended) { letters.put("ran") })
        var heard: [String] = []
        while heard.count < 2 { heard += letters.wait() }
        #expect(heard == ["ran", "ended"])
    }
}
