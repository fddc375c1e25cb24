// How the dispatcher stops: nothing new starts, what runs may end in peace for a while, then it is
// broken off and put back uncounted. A second request skips the peace.

/// How far a stop is.
struct Stop: Sendable {
    enum Step { case none, draining, breakingOff, exited }

    var step = Step.none
    /// When the next step is due.
    var nextStep: Timestamp?
    /// True when the runner stops in order to begin afresh.
    var startsAgain = false

    var isDraining: Bool { step != .none }
}

extension Dispatcher {
    /// True once no job is taken any more.
    public var isDraining: Bool { stop.isDraining }

    /// The operator asks, kindly; or again, and then at once.
    mutating func stopRequested(at now: Timestamp) {
        switch stop.step {
        case .none: beginDraining(at: now)
        case .draining: breakOffAll(at: now)
        case .breakingOff: exit()
        case .exited: break
        }
    }

    mutating func beginDraining(at now: Timestamp) {
        guard stop.step == .none else { return }
        stop.step = .draining
        stop.nextStep = now.adding(ms: plan.drainMs)
        for (worker, member) in crew.inOrder where member.orders.count > 1 {
            decisions.signals.append(.recall(worker, upTo: member.sequence))
        }
        giveUpHeld(.draining)
    }

    /// Too many threads were given up: a new process is better than this one.
    mutating func restart(at now: Timestamp) {
        stop.startsAgain = true
        beginDraining(at: now)
    }

    mutating func timePassed(at now: Timestamp) {
        expireWaits(at: now)
        sweepIfDue(at: now)
        startWorkersIfDue(at: now)
        lookAtExternals(at: now)
        guard let due = stop.nextStep, due <= now else { return }
        switch stop.step {
        case .draining: breakOffAll(at: now)
        case .breakingOff: exit()
        case .none, .exited: stop.nextStep = nil
        }
    }

    private mutating func breakOffAll(at now: Timestamp) {
        stop.step = .breakingOff
        stop.nextStep = now.adding(ms: plan.stuckMs)
        putBackExternalRuns(at: now)
        for (worker, member) in crew.inOrder {
            for order in member.orders {
                let (id, attempt) = (order.job.id, order.job.next)
                decisions.signals.append(
                    .breakOff(worker, order: order.sequence, id, attempt, .stopping)
                )
            }
        }
    }

    /// The last word, once no worker has anything and everything said is written.
    mutating func exitIfDone() {
        guard stop.isDraining, stop.step != .exited, crew.isIdle, active.isEmpty,
            decisions.changes.isEmpty, !somebodyWillHear, !calls.isAnswering
        else { return }
        exit()
    }

    /// True while a fact or an answer is under way that somebody waits for.
    private var somebodyWillHear: Bool {
        pending.values.contains { purpose in
            switch purpose {
            case .load, .survey, .gather, .sweep: false
            default: true
            }
        }
    }

    private mutating func exit() {
        stop.step = .exited
        stop.nextStep = nil
        for wait in waits.removeAll() {
            wait.isLooking ? say(.refused(.draining), to: wait.caller) : sayNotYet(wait)
        }
        answerCalls(all: true)
        for caller in calls.removeAll() { say(.refused(.draining), to: caller) }
        decisions.signals.append(.exit(startAgain: stop.startsAgain))
    }
}
