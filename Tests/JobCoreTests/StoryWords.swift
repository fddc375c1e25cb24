@testable import JobCore

/// A story in words, short enough to be read.
func words(_ event: Event) -> String {
    switch event {
    case .answered(_, let answer): "answer: \(words(answer))"
    case .filed(let file): "file \(file.row.takenAs)"
    case .reported(let reports): "\(reports.count) reports"
    default: short("\(event)")
    }
}

func words(_ answer: Answer) -> String {
    switch answer {
    case .loaded(let lane, let jobs, let isAll, _):
        "\(words(lane)) has \(jobs.map(\.id.rawValue))\(isAll ? "" : " and more")"
    case .surveyed(let survey):
        "ready \(survey.ready.map(words)), paused \(survey.paused.map(\.rawValue))"
    case .gathered(let job, let outputs): "\(outputs.count) parts of \(job.rawValue)"
    case .partDamaged(let job, let part): "part \(part) of \(job.rawValue) is damaged"
    case .ends(let ends, _):
        ends.map { "\($0?.id.rawValue ?? 0) \($0?.state.rawValue ?? "none")" }
            .joined(separator: ", ")
    case .selected(let jobs, _): "selected \(jobs.map(\.rawValue))"
    case .expired(let jobs, _): "old: \(jobs.map(\.rawValue))"
    case .unreadable: "unreadable"
    case .shown, .owners, .result, .listed, .queues, .statistics: "for a client"
    }
}

func words(_ order: Order) -> String {
    "\(order.phase) job \(order.job.rawValue), attempt \(order.attempt.rawValue)"
}

func words(_ ending: Report.Ending) -> String {
    switch ending {
    case .succeeded: "succeeded"
    case .failed(let failure): failure.isPermanent ? "failed for good" : "failed"
    case .brokenOff: "broken off"
    case .putBack: "put back"
    case .split(let parts): "split into \(parts.count)"
    }
}

func words(_ change: Change) -> String {
    switch change {
    case .insert(let insertion): "insert \(insertion.ids)"
    case .start(let job, let attempt, _, _): "start \(job.rawValue)/\(attempt.rawValue)"
    case .settle(let report):
        "settle \(report.job.rawValue)/\(report.attempt.rawValue) \(words(report.ending))"
    case .split(let report, _, let ids): "split \(report.job.rawValue) into \(ids)"
    case .lose(let job, let attempt, _, _): "lose \(job.rawValue)/\(attempt.rawValue)"
    case .cancel(let targets, _):
        "cancel "
            + targets.map { "\($0.job.rawValue)/\($0.active?.rawValue ?? 0)" }
            .joined(separator: " ")
    case .close(let targets, _): "close \(targets.map(\.job.rawValue))"
    case .retry(let jobs, _): "retry \(jobs.map(\.rawValue))"
    case .delete(let jobs, _): "delete \(jobs.map(\.rawValue))"
    case .setPaused(let isPaused, let queue, _):
        "\(isPaused ? "pause" : "resume") \(queue?.rawValue ?? "all")"
    case .reserve(let id): "reserve \(id)"
    case .stage(let staging):
        "stage \(staging.piece.row.takenAs) from \(staging.piece.place) of \(staging.piece.total)"
    case .release(let file): "release file \(file.rawValue)"
    case .unstage(let takenAs): "unstage \(takenAs)"
    case .closeFile(let file): "close file \(file.rawValue)"
    case .spoil(let jobs): "spoil \(jobs.map(\.rawValue))"
    case .spoilWhole(let job, let part): "spoil \(job.rawValue) by part \(part)"
    case .expire(let jobs, _, _): "expire \(jobs.map(\.rawValue))"
    }
}

func words(_ fact: Fact) -> String {
    switch fact {
    case .inserted(_, let accepted, _):
        "inserted "
            + accepted.map { "\($0.id.rawValue)\($0.created ? "" : "!")" }.joined(separator: " ")
    case .staged(_, let accepted, let file, let isAll):
        "staged \(accepted.map(\.id.rawValue)) of file \(file.rawValue)\(isAll ? ", all" : "")"
    case .released(let file, let isAll): "released file \(file.rawValue)\(isAll ? ", all" : "")"
    case .unstaged(let takenAs, let isAll): "unstaged \(takenAs)\(isAll ? ", all" : "")"
    case .ended(let ended): "ended \(ended.end.id.rawValue) \(ended.end.state)"
    case .queued(let job):
        "queued \(job.id.rawValue), next \(job.next.rawValue)\(job.isSplit ? ", to reduce" : "")"
    case .split(let job, let children):
        "split \(job.rawValue) into \(children.map(\.id.rawValue))"
    case .blocked(let job, _, _): "blocked \(job.rawValue)"
    case .cancelRequested(let job, let attempt):
        "cancel requested \(job.rawValue)/\(attempt.rawValue)"
    case .cameLate(let job, let attempt): "came late \(job.rawValue)/\(attempt.rawValue)"
    case .changed(_, let count, _): "changed \(count)"
    case .paused(let isPaused, let queues, _): "paused \(isPaused) \(queues.map(\.rawValue))"
    case .reserved(let id): "reserved \(id)"
    case .settled(let reports): "\(reports) reports are dealt with"
    case .fileEnded(let file): "file ended \(file.rawValue)"
    case .refused(_, let refusal): "refused \(refusal.code)"
    case .unwritable(let refusal): "unwritable: \(refusal.code)"
    }
}

func words(_ signal: Signal) -> String { short("\(signal)") }

func words(_ reply: Reply) -> String {
    switch reply {
    case .accepted(let accepted, _): "accepted \(accepted.map(\.id.rawValue))"
    case .pending(let job, let state, _): "pending \(job.rawValue) \(state)"
    case .result(let result): "result \(result.end.id.rawValue) \(result.end.state)"
    case .ended(let ends, let all): "ended \(ends.map(\.id.rawValue))\(all ? "" : " so far")"
    case .refused(let refusal): "refused \(refusal.code)"
    case .count(let count): "count \(count)"
    default: "an answer"
    }
}

func words(_ notice: FileNotice) -> String {
    switch notice {
    case .accepted(let takenAs, _, let ids): "accepted \(takenAs) as \(ids.map(\.rawValue))"
    case .refused(let takenAs, let refusal): "refused \(takenAs) \(refusal.code)"
    case .staged(let takenAs, let ids, let isAll):
        "staged \(takenAs) as \(ids.map(\.rawValue))\(isAll ? ", all" : "")"
    case .ended(let file): "ended \(file.rawValue)"
    }
}

func words(_ request: Request) -> String {
    guard case .submit(let jobs, _, let waitMs) = request else { return short("\(request)") }
    let all = jobs.map { job in
        let spec = job.spec
        return
            "(\(spec.queue.rawValue) \(job.key ?? "") \(spec.writes ?? "") \(spec.parts) \(job.start)"
            + (job.after.isEmpty ? ")" : " after \(job.after.map(words)) \(job.onFailure))")
    }
    return "submit \(all.joined()) wait \(waitMs ?? -1)"
}

private func words(_ predecessor: Predecessor) -> String {
    switch predecessor.reference {
    case .job(let id): "\(id.rawValue)\(predecessor.givesResult ? "!" : "")"
    case .sibling(let name): "\(name)\(predecessor.givesResult ? "!" : "")"
    }
}

func name(_ caller: Caller) -> String {
    "\(caller.client.rawValue.first ?? 0) (\(caller.request ?? ""))"
}

private func short(_ text: String) -> String {
    let words = text.replacing("JobCore.", with: "").replacing("(rawValue: ", with: "(")
    return String(words.prefix(260))
}

func words(_ lane: Lane) -> String {
    let turns = lane.turns.all.map { " \($0)" }.joined() + (lane.turns.skill ?? "")
    return lane.queue.rawValue + turns
}
