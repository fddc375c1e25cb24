import JobCore
import Synchronization

@testable import JobRunner

/// A loop over a real directory, without a thread, a watch or a clock.
final class IntakeBench {
    let scratch: Scratch
    let ledger: Ledger
    let loop: IntakeLoop
    var now: Int64 = 0

    /// In the directory of another, and with what its store has, after a crash.
    init(
        submissionJobs: Int = Limits().submissionJobs,
        after other: IntakeBench? = nil,
        afterCall: @escaping Folder.CallHook = { _ in }
    ) throws {
        ledger = Ledger(submissionJobs: submissionJobs)
        scratch = try other?.scratch ?? Scratch(inMemory: true)
        if let other {
            let state = other.ledger.state.withLock { $0 }
            ledger.state.withLock { $0 = state }
            ledger.restart()
        }
        let settings = ledger.settings(scratch.path, run: other == nil ? 1 : 2)
        let directory = try SpoolDirectory(
            path: scratch.path,
            run: settings.run,
            afterCall: afterCall
        )
        loop = IntakeLoop(directory: directory, settings: settings)
        if other != nil { for notice in ledger.takeNotices() { loop.hear(notice, now: 0) } }
    }

    /// Goes on by so many ms, then as long as there are answers.
    func turn(after ms: Int64 = 0) {
        now += ms
        repeat {
            loop.turn(now: now)
            let notices = ledger.takeNotices()
            for notice in notices { loop.hear(notice, now: now) }
            let isBusy = loop.canStage || loop.isWritingResults
            if notices.isEmpty, !isBusy || loop.deadline(now: now) > now { return }
        } while true
    }

    func arrive(_ name: String) {
        loop.hear(DirectoryWatch.Events(arrivals: [(name, .movedIn)]))
        turn()
    }

    var filed: [String] {
        ledger.state.withLock { state in
            state.ids.keys.compactMap { SpoolDirectory.Taken(takenAs: $0)?.name }.sorted()
        }
    }

    var log: [String] { ledger.state.withLock { $0.log } }
}
