import Foundation
import JobCore
import Synchronization
import Testing

@testable import JobRunner

/// What the intake does again and again while something is in its way: not more than it must.
@Suite("The jobs directory, while something is in the way") struct IntakePatienceTests {
    /// What the calls of the system were, and which of them fails now.
    private final class Calls {
        var counts: [String: Int] = [:]
        var failing: String?

        func after(_ call: String) throws(SpoolError) {
            counts[call, default: 0] += 1
            if call == failing { throw .system(call: call, path: "jobs", code: EIO) }
        }
    }

    @Test func `a directory that cannot be listed is tried again after a pause, and said once`()
        throws
    {
        let calls = Calls()
        let bench = try IntakeBench { call throws(SpoolError) in try calls.after(call) }
        // More files than one look takes in; they are gone before they are taken.
        let names = (0...10_000).map { "\($0).sql" }
        for name in names { try bench.scratch.write("", name) }
        bench.turn()
        for name in names { unlink("\(bench.scratch.path)/\(name)") }
        bench.turn(after: 1_000)
        #expect(bench.loop.deadline(now: bench.now) == bench.now, "The rest can be looked at.")

        calls.failing = "open"
        calls.counts = [:]
        for tries in 1...3 {
            bench.turn()
            bench.turn()
            #expect(calls.counts["open"] == tries)
            #expect(bench.loop.overview.failure?.contains("open failed") == true)
            #expect(bench.log.count == 1, "\(bench.log)")
            #expect(bench.loop.deadline(now: bench.now) == bench.now + 10_000)
            bench.now += 10_000
        }

        calls.failing = nil
        try bench.scratch.write("select 1", "late.sql")
        bench.turn()
        #expect(bench.loop.overview.failure == nil)
        bench.turn(after: 1_000)
        #expect(bench.filed == ["late.sql"])
        // What fails anew is said anew.
        bench.now += 10_000
        calls.failing = "open"
        bench.turn()
        #expect(bench.log.count == 2)
    }

    @Test func `a file that waits for room is noted once, however long it waits`() throws {
        let calls = Calls()
        let bench = try IntakeBench { call throws(SpoolError) in try calls.after(call) }
        try bench.scratch.write("select 1", "written-in-place.sql")
        bench.turn()
        // The broker has taken as much as it takes, and answers nothing.
        bench.ledger.state.withLock { $0.isDeaf = true }
        for number in 1...64 {
            try bench.scratch.write("select 1", "\(number).sql")
            bench.arrive("\(number).sql")
        }
        for _ in 1...5 { bench.turn(after: 1_000) }

        // It has grown meanwhile. So each note that it may be still would cost a look at it.
        try bench.scratch.write("select 1, 2", "written-in-place.sql")
        bench.ledger.state.withLock { $0.isDeaf = false }
        let taken = try bench.scratch.names(in: "taken")
        #expect(taken.count == 64)
        for name in taken {
            let refusal = Refusal(409, "conflict", "No.")
            bench.loop.hear(.refused(takenAs: name, refusal), now: bench.now)
        }
        calls.counts = [:]
        bench.turn()
        #expect(calls.counts["stat"] == 1)
        bench.turn(after: 1_000)
        #expect(bench.filed == ["written-in-place.sql"])
    }
}
