public import JobCore

/// Reports on their way from a worker to the broker.
extension Report {
    /// One message of any number of reports.
    ///
    /// - Returns: A head, then for each report its result, or the bodies and frames of its parts;
    ///   those of frames that parts share have no bytes.
    public static func frames(for reports: [Report]) -> [[UInt8]] {
        var head = HeadWriter()
        var frames: [[UInt8]] = [[]]
        head.byte(reportsTag)
        head.count(reports.count)
        for report in reports {
            head.int64(report.job.rawValue)
            head.int64(Int64(report.attempt.rawValue))
            head.int64(Int64(report.worker.rawValue))
            head.int64(report.startedAt.rawValue)
            head.int64(report.durationMicros)
            head.int64(report.commitMicros)
            head.byte(report.needsOwnTransaction ? 1 : 0)
            head.ending(report.ending, &frames)
            head.count(report.leftovers.count)
            for job in report.leftovers { head.int64(job.rawValue) }
        }
        frames[0] = head.bytes
        return frames
    }

    public static func read(_ frames: [[UInt8]]) throws(FrameError) -> [Report] {
        var reader = try HeadReader(frames, tag: reportsTag)
        var reports: [Report] = []
        for _ in 0..<(try reader.count()) { reports.append(try reader.report()) }
        try reader.finish()
        return reports
    }
}

extension HeadWriter {
    fileprivate mutating func ending(_ ending: Report.Ending, _ frames: inout [[UInt8]]) {
        switch ending {
        case .succeeded(let outcome):
            byte(EndingMark.succeeded.rawValue)
            text(outcome.format.rawValue)
            optional(outcome.rows) { $0.int64($1) }
            optional(outcome.stderr) { $0.text($1) }
            frames.append(outcome.bytes)
        case .failed(let failure):
            byte(EndingMark.failed.rawValue)
            self.failure(failure)
        case .brokenOff: byte(EndingMark.brokenOff.rawValue)
        case .putBack: byte(EndingMark.putBack.rawValue)
        case .split(let parts):
            byte(EndingMark.split.rawValue)
            count(parts.count)
            for part in parts { self.part(part, &frames) }
        }
    }

    /// Frames that parts share are there already.
    private mutating func part(_ part: Part, _ frames: inout [[UInt8]]) {
        frames.append(part.body)
        count(part.frames.count)
        for frame in part.frames {
            count(frame.number)
            byte(frame.isShared ? 1 : 0)
            if !frame.isShared { frames.append(frame.bytes) }
        }
    }

    private mutating func failure(_ failure: Failure) {
        text(failure.code.rawValue)
        text(failure.message)
        optional(failure.hint) { $0.text($1) }
        optional(failure.sqliteCode) { $0.int64(Int64($1)) }
        optional(failure.offset) { $0.int64(Int64($1)) }
        optional(failure.exitCode) { $0.int64(Int64($1)) }
        byte(failure.isPermanent ? 1 : 0)
    }
}

extension HeadReader {
    fileprivate mutating func report() throws(FrameError) -> Report {
        let job = JobID(rawValue: try int64())
        let attempt = Attempt(rawValue: try natural())
        let worker = WorkerID(rawValue: try natural())
        let startedAt = Timestamp(rawValue: try int64())
        let durationMicros = Int64(try natural())
        let commitMicros = Int64(try natural())
        let needsOwnTransaction = try byte() != 0
        var report = Report(
            job: job,
            attempt: attempt,
            worker: worker,
            ending: try ending(),
            startedAt: startedAt,
            durationMicros: durationMicros
        )
        report.commitMicros = commitMicros
        report.needsOwnTransaction = needsOwnTransaction
        for _ in 0..<(try count()) { report.leftovers.append(JobID(rawValue: try int64())) }
        return report
    }

    private mutating func ending() throws(FrameError) -> Report.Ending {
        guard let mark = EndingMark(rawValue: try byte()) else {
            throw FrameError("there is no such ending")
        }
        switch mark {
        case .succeeded: return .succeeded(try outcome())
        case .failed: return .failed(try failure())
        case .brokenOff: return .brokenOff
        case .putBack: return .putBack
        case .split:
            var parts: [Part] = []
            for _ in 0..<(try count()) { parts.append(try part()) }
            return .split(parts)
        }
    }

    private mutating func part() throws(FrameError) -> Part {
        var part = Part(body: try frame())
        for _ in 0..<(try count()) {
            let number = Int(try int32())
            let isShared = try byte() != 0
            let bytes = isShared ? [] : try frame()
            part.frames.append(Spec.Frame(number: number, bytes: bytes, isShared: isShared))
        }
        return part
    }

    private mutating func outcome() throws(FrameError) -> Outcome {
        guard let format = ResultFormat(rawValue: try text()) else {
            throw FrameError("there is no such format")
        }
        let rows = try optional { (reader) throws(FrameError) in try reader.int64() }
        let stderr = try optional { (reader) throws(FrameError) in try reader.text() }
        return Outcome(format: format, bytes: try frame(), rows: rows, stderr: stderr)
    }

    private mutating func failure() throws(FrameError) -> Failure {
        guard let code = Failure.Code(rawValue: try text()) else {
            throw FrameError("there is no such code")
        }
        var failure = Failure(code, try text())
        failure.hint = try optional { (reader) throws(FrameError) in try reader.text() }
        failure.sqliteCode = try optional { (reader) throws(FrameError) in
            Int(try reader.int64())
        }
        failure.offset = try optional { (reader) throws(FrameError) in Int(try reader.int64()) }
        failure.exitCode = try optional { (reader) throws(FrameError) in Int(try reader.int64()) }
        failure.isPermanent = try byte() != 0
        return failure
    }
}

private let reportsTag = UInt8(ascii: "R")

/// What each way to end is called in a head.
private enum EndingMark: UInt8 {
    case succeeded, failed, brokenOff, putBack, split
}
