internal import JobCore
internal import Synchronization

/// What the broker and one worker share beside their sockets: what was ordered, which order has
/// begun, which are taken back, and how to break off the one that runs.
final class WorkerPost: Sendable {
    let worker: WorkerID
    /// A `Gate`, in one word.
    private let gate = Atomic<UInt64>(0)
    private let startedAt = Atomic<Int64>(0)
    private let abandoned = Atomic(false)
    private let runs = Mutex(Runs())
    /// Orders, as they were given together.
    private let given = Mutex<[[Order]]>([])
    private let unsent = Mutex<[Report]>([])

    /// The last order that began, in 56 bits: they last longer than any machine. Below them, how
    /// many orders behind it are void: a worker never has more than its credit.
    private struct Gate {
        private static let voidBits: UInt64 = 8
        static let mostVoid: UInt64 = 1 << voidBits - 1

        var begun: UInt64
        var void: UInt64

        init(begun: UInt64, void: UInt64) {
            self.begun = begun
            self.void = void
        }

        init(_ word: UInt64) {
            self.init(begun: word >> Self.voidBits, void: word & Self.mostVoid)
        }

        var word: UInt64 { begun << Self.voidBits | void }
    }

    private struct Runs {
        /// The order that runs.
        var current: UInt64?
        var run: KernelRun?
        var interrupt: (@Sendable () -> Void)?
        /// Why orders are to be broken off: the current one, and those that have not begun. Those
        /// that never will go when a later one begins.
        var brokenOff: [UInt64: BreakOffReason] = [:]
    }

    init(worker: WorkerID) { self.worker = worker }

    // MARK: For the broker

    /// Leaves orders with the post. `WorkerLink.call` then tells the worker of them.
    func give(_ orders: [Order]) { given.withLock { $0.append(orders) } }

    /// The order that began last; nil when none has, or when the next one begins this very moment.
    var mark: WorkerMark? {
        let before = gate.load(ordering: .acquiring)
        let moment = startedAt.load(ordering: .acquiring)
        let after = gate.load(ordering: .acquiring)
        let sequence = Gate(after).begun
        guard sequence > 0, sequence == Gate(before).begun else { return nil }
        return WorkerMark(
            worker: worker,
            sequence: sequence,
            startedAt: Timestamp(rawValue: moment),
            progress: progress(of: sequence)
        )
    }

    /// What the run of this order has told last.
    private func progress(of order: UInt64) -> Progress? {
        let told = runs.withLock { $0.current == order ? $0.run?.progress : nil }
        return told.map { Progress(done: Int64($0.done), total: Int64($0.total)) }
    }

    /// Takes back the orders up to `last` that have not begun.
    func recall(upTo last: UInt64) -> Range<UInt64> {
        var seen = gate.load(ordering: .acquiring)
        while true {
            let begun = Gate(seen).begun
            guard begun < last else { return last..<last }
            let void = min(last - begun, Gate.mostVoid)
            let (done, found) = gate.compareExchange(
                expected: seen,
                desired: Gate(begun: begun, void: void).word,
                ordering: .acquiringAndReleasing
            )
            if done { return begun + 1..<begun + 1 + void }
            seen = found
        }
    }

    func breakOff(_ order: UInt64, _ reason: BreakOffReason) {
        runs.withLock { runs in
            runs.brokenOff[order] = reason
            guard runs.current == order else { return }
            runs.run?.cancel()
            runs.interrupt?()
        }
    }

    /// How many orders are to be broken off, as far as is known.
    var brokenOffCount: Int { runs.withLock(\.brokenOff.count) }

    /// Interrupts a run whose time is over, in case it is inside one long step of SQLite, such as
    /// the counting of a table: it asks no clock there, but can be interrupted.
    func interruptIfOver() {
        runs.withLock { runs in
            if runs.run?.isCancelled == true { runs.interrupt?() }
        }
    }

    /// Nothing more will be asked of the worker: it ends as soon as it hears `WorkerLink.goodbye`.
    func abandon() { abandoned.store(true, ordering: .relaxed) }

    var isAbandoned: Bool { abandoned.load(ordering: .relaxed) }

    // MARK: Reports

    /// Keeps a report until it is sent together with others.
    ///
    /// - Returns: How many are kept.
    func keep(_ report: Report) -> Int {
        unsent.withLock { unsent in
            unsent.append(report)
            return unsent.count
        }
    }

    /// For the worker, which sends them; and for the broker, when the worker is long at its next
    /// run or gone.
    func takeReports() -> [Report] {
        unsent.withLock { unsent in
            defer { unsent.removeAll(keepingCapacity: true) }
            return unsent
        }
    }

    // MARK: For the worker

    /// The orders of which one message tells; none when there was no such message.
    func takeOrders() -> [Order] {
        given.withLock { $0.isEmpty ? [] : $0.removeFirst() }
    }

    /// Marks the order as begun.
    ///
    /// - Returns: False when it was taken back.
    func begin(_ order: Order, _ run: KernelRun, at now: Timestamp) -> Bool {
        startedAt.store(now.rawValue, ordering: .releasing)
        var seen = gate.load(ordering: .acquiring)
        while true {
            let last = Gate(seen)
            guard order.sequence > last.begun + last.void else { return false }
            let (done, found) = gate.compareExchange(
                expected: seen,
                desired: Gate(begun: order.sequence, void: 0).word,
                ordering: .acquiringAndReleasing
            )
            if done { break }
            seen = found
        }
        runs.withLock { runs in
            runs.current = order.sequence
            runs.run = run
            guard !runs.brokenOff.isEmpty else { return }
            runs.brokenOff = runs.brokenOff.filter { $0.key >= order.sequence }
            if runs.brokenOff[order.sequence] != nil { run.cancel() }
        }
        return true
    }

    /// From here to the end of the run, `interrupt` is called too when it is broken off, and may be
    /// once its time is over: any number of times, from any thread.
    func interrupting(_ interrupt: @escaping @Sendable () -> Void) {
        runs.withLock { runs in
            runs.interrupt = interrupt
            if let current = runs.current, runs.brokenOff[current] != nil { interrupt() }
        }
    }

    /// - Returns: Why the run was to be broken off, if it was.
    func end() -> BreakOffReason? {
        runs.withLock { runs in
            defer {
                runs.current = nil
                runs.run = nil
                runs.interrupt = nil
            }
            return runs.current.flatMap { runs.brokenOff.removeValue(forKey: $0) }
        }
    }
}
