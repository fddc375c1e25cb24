import Testing

@testable import JobCore

/// What the dispatcher does with files that are written in pieces.
@Suite("Large files, decided") struct DispatcherStagesTests {
    private func row(_ number: Int) -> TakenFile.Row {
        TakenFile.Row(name: "\(number).jsonl", takenAs: "1-\(number)", bytes: 1, digest: "00")
    }

    private func piece(_ number: Int, at place: Int = 0, of total: Int = 1) -> FilePiece {
        FilePiece(row: row(number), total: total, place: place, jobs: [makeSubmission(makeSpec())])
    }

    private func steps(_ decisions: Decisions) -> [Change] {
        decisions.changes.filter {
            switch $0 {
            case .release, .unstage: true
            default: false
            }
        }
    }

    /// Submits a piece and lets it become a fact.
    @discardableResult
    private func store(_ piece: FilePiece, on stage: inout Stage) -> Decisions {
        let filed = stage.hear(.filePiece(piece))
        guard case .stage(let staging)? = filed.changes.first else { return filed }
        let id = JobID(rawValue: staging.ids.lowerBound + Int64(piece.place))
        let accepted = [Accepted(id: id, state: .queued, created: true)]
        let file = FileID(rawValue: staging.ids.lowerBound)
        let fact = Fact.staged(staging.ticket, accepted, file, isAll: piece.isLast)
        return stage.hear(.wrote([fact]))
    }

    /// A client's submission waits for no more than the one that is under way.
    @Test func `of all large files together one step is under way`() {
        var stage = Stage()
        let one = FileID(rawValue: 1)
        let two = FileID(rawValue: 2)
        #expect(steps(store(piece(1), on: &stage)) == [.release(one)])
        #expect(steps(store(piece(2), on: &stage)) == [])
        #expect(steps(stage.hear(.pieceDropped("1-3"), .pieceDropped("1-3"))) == [])
        // Each in its turn.
        #expect(steps(stage.hear(.wrote([.released(one, isAll: false)]))) == [.release(two)])
        #expect(steps(stage.hear(.wrote([.released(two, isAll: true)]))) == [.unstage("1-3")])
        let gone = Fact.unstaged("1-3", isAll: false)
        #expect(steps(stage.hear(.wrote([gone]))) == [.release(one)])
        #expect(steps(stage.hear(.wrote([.released(one, isAll: true)]))) == [.unstage("1-3")])
        #expect(steps(stage.hear(.wrote([.unstaged("1-3", isAll: true)]))) == [])
        #expect(steps(store(piece(4), on: &stage)) == [.release(FileID(rawValue: 3))])
    }

    @Test func `what the last run has begun goes on step by step`() {
        var plan = Stage().dispatcher.plan
        plan.stages.releasing = [FileID(rawValue: 5), FileID(rawValue: 6)]
        plan.stages.removing = ["0-1"]
        var dispatcher = Dispatcher(plan)
        let now = Timestamp(rawValue: 1)
        let files = plan.stages.releasing
        dispatcher.begin(at: now)
        #expect(steps(dispatcher.decide(at: now)) == [.release(files[0])])
        dispatcher.hear(.wrote([.released(files[0], isAll: true)]), at: now)
        #expect(steps(dispatcher.decide(at: now)) == [.release(files[1])])
        dispatcher.hear(.wrote([.released(files[1], isAll: true)]), at: now)
        #expect(steps(dispatcher.decide(at: now)) == [.unstage("0-1")])
    }

    @Test func `a stop leaves the rest to the next start`() {
        var stage = Stage()
        store(piece(1), on: &stage)
        stage.hear(.stop)
        let fact = Fact.released(FileID(rawValue: 1), isAll: false)
        #expect(steps(stage.hear(.wrote([fact]))) == [])
    }

    @Test func `sys.stats tells which file is being stored, and how far it is`() {
        var stage = Stage()
        func told() -> FileProgress? {
            let asked = stage.ask(.statistics)
            guard let ticket = asked.queries.first?.ticket else { return nil }
            let answer = Answer.statistics(Statistics())
            let decided = stage.hear(.answered(ticket, answer))
            guard case .statistics(let found)? = decided.messages.first?.reply else { return nil }
            return found.staging
        }
        #expect(told() == nil)
        for place in 0..<2 {
            store(piece(1, at: place, of: 3), on: &stage)
            #expect(told() == FileProgress(name: "1.jsonl", staged: place + 1, total: 3))
        }
        store(piece(1, at: 2, of: 3), on: &stage)
        #expect(told() == nil)
        store(piece(2, at: 0, of: 3), on: &stage)
        stage.hear(.pieceDropped("1-2"))
        #expect(told() == nil)
    }
}
