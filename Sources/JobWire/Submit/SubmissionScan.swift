internal import JobCore

/// One pass over the text of a submission.
struct SubmissionScan {
    /// What a submission holds beside who sent it.
    struct Found {
        var jobs: [Submission]
        var isBatch: Bool
        var waitMs: Int64?
        var request: String?
    }

    private let bytes: [UInt8]
    private let catalog: Catalog
    private var cursor: Cursor
    private var frames: FrameBook

    init(
        _ bytes: [UInt8],
        in range: Range<Int>?,
        frames: [[UInt8]],
        catalog: Catalog
    ) throws(Refusal) {
        self.bytes = bytes
        self.catalog = catalog
        cursor = try Cursor(bytes, in: range)
        self.frames = FrameBook(frames, limit: catalog.limits.messageBytes)
    }

    mutating func finish() throws(Refusal) {
        try cursor.finish()
        try frames.checkAllUsed()
    }

    /// One job object.
    mutating func job() throws(Refusal) -> Submission {
        let start = cursor.position
        var draft = JobDraft()
        try cursor.enterObject("")
        while let key = try cursor.nextMember() { try take(key, into: &draft) }
        return try finished(draft, start: start)
    }

    /// One job object, in which the sender's own fields may stand, or `{"jobs": […]}`.
    mutating func submission() throws(Refusal) -> Found {
        let start = cursor.position
        var draft = JobDraft()
        var list: [Submission]?
        var waitMs: Int64?
        var request: String?
        try cursor.enterObject("")
        while let key = try cursor.nextMember() {
            switch key {
            case "jobs": list = try jobs()
            case "wait_ms":
                waitMs = try cursor.value().integer("wait_ms", in: 0...Limits.waitMs)
            case "request": request = try cursor.value().text("request")
            default: try take(key, into: &draft)
            }
        }
        if list != nil { try checkBatch(waitMs: waitMs, beside: draft) }
        var found = Found(jobs: list ?? [], isBatch: list != nil, waitMs: waitMs, request: request)
        if !found.isBatch { found.jobs = [try finished(draft, start: start)] }
        try finish()
        do throws(UnfitJob) {
            found.jobs = try found.jobs.linked()
        } catch {
            throw error.refusal.inside(found.isBatch ? "jobs[\(error.place)]" : "")
        }
        return found
    }

    private mutating func jobs() throws(Refusal) -> [Submission] {
        let most = catalog.limits.submissionJobs
        var jobs: [Submission] = []
        try cursor.enterArray("jobs")
        while try cursor.nextElement() {
            guard jobs.count < most else {
                throw .outOfBounds("jobs", "an array of 1 to \(most) jobs")
            }
            do throws(Refusal) {
                jobs.append(try job())
            } catch {
                throw error.inside("jobs[\(jobs.count)]")
            }
        }
        guard !jobs.isEmpty else { throw .outOfBounds("jobs", "an array of 1 to \(most) jobs") }
        return jobs
    }

    private mutating func take(_ key: String, into draft: inout JobDraft) throws(Refusal) {
        guard let field = JobField(rawValue: key) else {
            if draft.unknownField == nil { draft.unknownField = key }
            try cursor.skipValue()
            return
        }
        let start = cursor.position
        let value = try cursor.value()
        let digest: UInt64
        do {
            digest = try Digest.of(value, &frames)
        } catch {
            var refusal = error
            refusal.field = key
            throw refusal
        }
        try draft.take(field, value, text: bytes[start..<cursor.end], digest: digest)
        if field == .each { draft.rows = try rows(of: value) }
    }

    /// Checks the rows that a statement is to run with, and counts them.
    private func rows(of each: JSON) throws(Refusal) -> Int {
        guard let number = each.objectValue?.frameNumber, let csv = frames.bytes(of: number) else {
            return try checkEach(each, catalog.limits)
        }
        return try checkEach(csv: csv, catalog.limits)
    }

    private mutating func finished(_ draft: JobDraft, start: Int) throws(Refusal) -> Submission {
        let most = catalog.limits.specBytes
        guard cursor.end - start <= most else {
            throw .tooLarge("", "The job is longer than \(most) bytes.")
        }
        return try draft.finished(frames: frames.take(), catalog: catalog)
    }

    private func checkBatch(waitMs: Int64?, beside draft: JobDraft) throws(Refusal) {
        if let field = draft.given.first?.field.rawValue {
            throw .conflict(field, "\(field) belongs into each of the jobs, not beside them.")
        }
        if waitMs != nil {
            throw .conflict("wait_ms", "wait_ms can be said of one job only; use job.wait.")
        }
    }
}
