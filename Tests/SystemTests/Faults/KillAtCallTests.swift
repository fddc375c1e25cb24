import JobTesting
import Testing

/// The end comes right before a chosen call of the system: the Nth write, sync, rename or answer of
/// a thread, in a start as well as under load.
@Suite(.serialized) struct KillAtCallTests {
    /// Calls, and up to which of a thread's calls of that name the end may come: so far a run under
    /// load gets.
    private static let calls: [(name: String, most: Int)] = [
        ("pwrite64", 60), ("pwrite64", 600), ("fdatasync", 10), ("fdatasync", 60), ("fsync", 30),
        ("renameat", 6), ("renameat2", 6), ("sendto", 100), ("openat", 150), ("write", 60),
    ]

    @Test func `a kill at any call loses nothing that was acknowledged`() throws {
        let row = FaultRow("kill-at-syscall", count: 30)
        let strace = try Strace.path()
        var inStart = 0
        var reached: [String: Int] = [:]
        let broken = try row.run("kill -9 at the Nth call") { tally in
            try Siege.campaign(row, tally) { siege in
                let (runner, book) = (siege.runner, siege.book)
                let plain = runner.options
                defer { runner.options = plain }
                let call = Self.calls[book.below(Self.calls.count)]
                runner.options.supervised = false
                runner.options.wrapper = [
                    strace, "-f", "-o", "/dev/null", "-e", "trace=\(call.name)",
                    "-e", "inject=\(call.name):signal=KILL:when=\(1 + book.below(call.most))",
                ]
                try runner.killAll()
                let hasStarted = try runner.tryToRestart()
                if hasStarted {
                    try book.reconnect(Conversation(dealer: runner.ipc))
                    try siege.rage { runner.process.hasEnded }
                }
                let wasHit = runner.process.hasEnded
                if !wasHit { try runner.killAll() }
                try book.listen()
                let counts = wasHit && (!hasStarted || book.unansweredCount > 0)
                runner.options = plain
                try siege.comeBack { try runner.restart() }
                if counts {
                    reached[call.name, default: 0] += 1
                    if !hasStarted { inStart += 1 }
                }
                return counts
            }
            let calls = reached.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            tally.notes.append("\(inStart) in a start; \(calls.joined(separator: ", "))")
        }
        #expect(broken.isEmpty, "\(broken.prefix(10))")
    }
}
