internal import JobCore
internal import JobWire
internal import ZeroMQ

/// Orders that share a transaction: what is reported of them waits for its commit.
extension WorkerLoop {
    func work(together orders: ArraySlice<Order>, _ socket: borrowing Socket) throws {
        // What comes after jobs that write sees what they wrote.
        databases.endReading()
        var group = GroupReports(removable: orders.flatMap(\.removable))
        for order in orders {
            if let shared = group.transaction, shared.isOld { try finish(&group, socket) }
            let patience = group.transaction == nil ? nil : SharedTransaction.patience
            guard let begun = begin(order, patience: patience) else { continue }
            try work(on: begun, in: &group)
            if group.transaction == nil { try finish(&group, socket) }
        }
        try finish(&group, socket)
    }

    private func work(on begun: Begun, in group: inout GroupReports) throws {
        var alone = begun.order
        guard let (shared, sql) = shared(by: begun),
            let part = shared.run(sql, at: kit.time.now())
        else {
            alone.removable = group.removable
            return group.add(report(begun, try end(of: alone, begun.run)))
        }
        if part.isUndone { group.putBack() }
        group.add(
            report(
                begun,
                RunEnd(ending: part.ending, needsOwnTransaction: part.needsOwnTransaction)
            )
        )
        group.transaction = shared.isOpen ? shared : nil
    }

    /// The transaction of the order's database, and what is to run in it; nil when it has to run in
    /// one of its own.
    private func shared(by begun: Begun) -> (SharedTransaction, SQLRun)? {
        guard case .sql(let work)? = try? Work(begun.order), work.mode == .write,
            let alias = work.database, let shared = databases.sharedTransaction(in: alias)
        else { return nil }
        return (shared, sqlRun(work, begun.order, begun.run))
    }

    /// Commits, and tells what has come of the orders.
    private func finish(_ group: inout GroupReports, _ socket: borrowing Socket) throws {
        if let shared = group.transaction, !shared.commit(removing: group.removable) {
            group.putBack()
        }
        leave()
        try tell(group.take(), socket)
    }
}

extension [Order] {
    /// The place behind the last order that shares a transaction with this one.
    func endOfGroup(at place: Int) -> Int {
        guard let group = self[place].group else { return place + 1 }
        return self[place...].firstIndex { $0.group != group } ?? count
    }
}

/// What is to be reported of a group.
private struct GroupReports {
    /// The transaction for whose commit the reports wait; nil when they wait for none.
    var transaction: SharedTransaction?
    /// Jobs whose receipts are to be removed with the first success.
    private(set) var removable: [ClosedRange<Int64>]
    private var reports: [Report] = []

    init(removable: [ClosedRange<Int64>]) { self.removable = removable }

    mutating func add(_ report: Report) { reports.append(report) }

    /// Nothing has happened: all run again, but those that were told to stop or were out of time.
    mutating func putBack() {
        for place in reports.indices {
            switch reports[place].ending {
            case .succeeded, .split: reports[place].ending = .putBack
            case .failed(let failure) where failure.code != .timeout:
                reports[place].ending = .putBack
            case .failed, .brokenOff, .putBack: break
            }
        }
    }

    /// - Returns: What can be told now.
    mutating func take() -> [Report] {
        defer {
            transaction = nil
            reports = []
        }
        if reports.contains(where: \.hasSucceeded) { removable = [] }
        return reports
    }
}
