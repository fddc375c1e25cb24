public import JobCore
internal import SQLite

/// What waits for workers. Costs the same with ten jobs waiting as with ten million: all of it is
/// seeks in the index of ready jobs, a few for each lane and priority.
extension StoreReader {
    /// Bytes of specs after which a load counts as full.
    static let loadBytes = 8 << 20

    /// Once the limit is used up there is still one job of each lower priority, the longest ready,
    /// so that none is forgotten.
    func load(
        _ lane: Lane,
        limit: Int,
        now: Timestamp,
        except known: Set<JobID>
    ) throws(SQLiteError) -> Answer {
        var loaded: [Waiting] = []
        var damaged: [JobID] = []
        var bytes = 0
        var isAll = true
        var shared = SharedInputs()
        try eachPriority(of: lane) { priority throws(SQLiteError) in
            let statement = try readyStatement(.ready, lane, priority, now)
            defer { statement.reset() }
            var isFirst = true
            while try statement.step() {
                let id = JobID(rawValue: statement.integer(0))
                if known.contains(id) { continue }
                let isFull = loaded.count + damaged.count >= limit || bytes >= Self.loadBytes
                guard !isFull || isFirst else {
                    isAll = false
                    break
                }
                isFirst = false
                do throws(SQLiteError) {
                    var row = Row(of: statement)
                    let waiting = try row.waiting(
                        inputs: { id, kind throws(SQLiteError) in
                            try carried(of: id, kind, &shared)
                        },
                        sources: sources
                    )
                    bytes += waiting.spec.workBytes
                    loaded.append(waiting)
                } catch {
                    guard error.isDamage else { throw error }
                    damaged.append(id)
                }
            }
        }
        return .loaded(lane, loaded, isAll: isAll, damaged: damaged)
    }

    func survey(now: Timestamp) throws(SQLiteError) -> Survey {
        var survey = Survey()
        try eachLane { lane throws(SQLiteError) in
            if try oldestReady(in: lane, now: now) != nil { survey.ready.append(lane) }
        }
        survey.paused = try pausedQueues()
        survey.nextReadyAt = try questions.with(.nextReadyAt, now.rawValue).first {
            Timestamp(rawValue: $0.integer(0))
        }
        return survey
    }

    func oldestReady(now: Timestamp) throws(SQLiteError) -> Timestamp? {
        var oldest: Timestamp?
        try eachLane { lane throws(SQLiteError) in
            guard let moment = try oldestReady(in: lane, now: now) else { return }
            oldest = min(oldest ?? moment, moment)
        }
        return oldest
    }

    func pausedQueues() throws(SQLiteError) -> [QueueName] {
        try questions[.pausedQueues].all { statement throws(SQLiteError) in
            var row = Row(of: statement)
            return try row.word()
        }
    }

    func waiting(_ id: JobID) throws(SQLiteError) -> Waiting? {
        var shared = SharedInputs()
        return try waiting(id) { id, kind throws(SQLiteError) in
            try carried(of: id, kind, &shared)
        }
    }

    /// With all of its frames, and the sum of its work looked at.
    func whole(_ id: JobID) throws(SQLiteError) -> Waiting? {
        var shared = SharedInputs()
        return try waiting(id) { id, _ throws(SQLiteError) in (try frames(of: id, &shared), 0) }
    }

    /// The binary frames of a job that were left here; nil when it is not kept.
    ///
    /// - Throws: `corrupt` too when its work is not as it was submitted.
    public func frames(of id: JobID) throws(StoreError) -> [Spec.Frame]? {
        try reading { () throws(SQLiteError) in try whole(id)?.spec.frames }
    }

    private func waiting(
        _ id: JobID,
        inputs: (JobID, Spec.Kind) throws(SQLiteError) -> Row.Inputs
    ) throws(SQLiteError) -> Waiting? {
        try questions.with(.waiting, id.rawValue).first { statement throws(SQLiteError) in
            var row = Row(of: statement)
            return try row.waiting(inputs: inputs, sources: sources)
        }
    }

    /// As `Spec.leavingFrames` has it, without reading what is left.
    private func carried(
        of id: JobID,
        _ kind: Spec.Kind,
        _ shared: inout SharedInputs
    ) throws(SQLiteError) -> Row.Inputs {
        if kind == .sql {
            let statement = try questions.with(.inputBytes, id.rawValue)
            let bytes = try statement.first { Int(clamping: $0.integer(0)) } ?? 0
            if bytes > Spec.carriedFrameBytes { return ([], bytes) }
        }
        return (try frames(of: id, &shared), 0)
    }

    // MARK: - Seeks

    private func oldestReady(
        in lane: Lane,
        now: Timestamp
    ) throws(SQLiteError) -> Timestamp? {
        var oldest: Timestamp?
        try eachPriority(of: lane) { priority throws(SQLiteError) in
            let statement = try readyStatement(.oldestReady, lane, priority, now)
            guard let moment = try statement.first({ Timestamp(rawValue: $0.integer(0)) }) else {
                return
            }
            oldest = min(oldest ?? moment, moment)
        }
        return oldest
    }

    private func readyStatement(
        _ question: Questions,
        _ lane: Lane,
        _ priority: Int64,
        _ now: Timestamp
    ) throws(SQLiteError) -> Statement {
        var values = Parameters(of: questions[question])
        try values.add(lane)
        try values.add(priority)
        try values.add(now)
        return values.statement
    }

    func eachLane(
        _ body: (Lane) throws(SQLiteError) -> Void
    ) throws(SQLiteError) {
        var after = (queue: "", turns: "")
        while let next = try lane(after: after.queue, after.turns) {
            try body(next)
            after = (next.queue.rawValue, next.turns.text)
        }
    }

    /// Two seeks: for one comparison of both columns, `(queue, turns) > (?, ?)`, SQLite would walk
    /// through all jobs of the lane before.
    private func lane(after queue: String, _ turns: String) throws(SQLiteError) -> Lane? {
        for question: Questions in [.nextTurns, .nextQueue] {
            let statement = questions[question]
            try statement.bind(text: queue, at: 1)
            if question == .nextTurns { try statement.bind(text: turns, at: 2) }
            let next = try statement.first { statement throws(SQLiteError) in
                var row = Row(of: statement)
                return Lane(try row.word(), Turns(text: row.text()))
            }
            if let next { return next }
        }
        return nil
    }

    func eachPriority(
        of lane: Lane,
        _ body: (Int64) throws(SQLiteError) -> Void
    ) throws(SQLiteError) {
        var below = Int64.max
        let statement = questions[.nextPriority]
        while true {
            try statement.bind(text: lane.queue.rawValue, at: 1)
            try statement.bind(text: lane.turns.text, at: 2)
            try statement.bind(integer: below, at: 3)
            guard let priority = try statement.first({ $0.integer(0) }) else { return }
            try body(priority)
            below = priority
        }
    }
}
