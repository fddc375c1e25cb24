// What every store says in the same words, so that one can stand in for another.

extension Failure {
    /// The end of every job that a client has called off.
    public static let calledOff = Failure(.cancelled, "The job was called off.")

    public static let poisoned = Failure(
        .poisoned,
        "\(Job.lossesMax) runs of the job did not come back; it is taken to be what ends them.",
        hint: "Find out what ends the worker, then retry the job.",
        isPermanent: true
    )

    public static func timedOut(afterMs ms: Int64) -> Failure {
        Failure(
            .timeout,
            "The run took longer than \(ms) ms.",
            hint: "Give the job a longer timeout_ms, or less to do."
        )
    }

    public static func resultTooLarge(mostBytes: Int) -> Failure {
        Failure(
            .resultTooLarge,
            "The result is larger than \(mostBytes) bytes.",
            hint: "Divide the work, or raise the limit in the settings.",
            isPermanent: true
        )
    }

    /// Of a job that comes after one that has ended so.
    public static func dependencyFailed(_ job: JobID, _ state: JobState) -> Failure {
        let end = state == .cancelled ? "was cancelled" : "failed"
        return Failure(
            .dependencyFailed,
            "Job \(job.rawValue), which it comes after, \(end).",
            hint: "Retry job \(job.rawValue): this one then waits for it again.",
            isPermanent: true
        )
    }

    public static let damaged = Failure(
        .damaged,
        "What is stored of the job is not as it was submitted.",
        hint: "Ask `millrace doctor` about the store, and submit the job again.",
        isPermanent: true
    )

    /// Of a part, and so of the whole.
    public static let damagedResult = Failure(
        .damaged,
        "The result is not as it was written.",
        hint: "Ask `millrace doctor` about the store, and retry the job.",
        isPermanent: true
    )

    /// The failure of a divided job, by that of one of its parts, counted from 1.
    public func ofPart(_ part: Int) -> Failure {
        var failure = self
        failure.message = "Part \(part): \(message)"
        return failure
    }
}

extension Refusal {
    /// `place` is the job's place in the submission, from 0; nil when it is the only one.
    public static func keyConflict(_ key: String, with job: JobID, at place: Int?) -> Refusal {
        Refusal(
            409,
            "key_conflict",
            "The key \(key) belongs to job \(job.rawValue), which asks for something else.",
            hint: "Use another key, or send the same job.",
            field: keyField(place)
        )
    }

    /// `place` is the job's place in the submission, from 0.
    public static func duplicateKey(_ key: String, at place: Int) -> Refusal {
        Refusal(
            422,
            "duplicate_key",
            "The key \(key) stands twice in this submission.",
            hint: "Give each job a key of its own.",
            field: keyField(place)
        )
    }

    /// `limit` is how many jobs may be open.
    public static func queueFull(limit: Int64) -> Refusal {
        var refusal = Refusal(
            429,
            "queue_full",
            "\(limit) jobs may wait or run at a time, and these would be more.",
            hint: "Wait until some have ended, then send again."
        )
        refusal.retryAfterMs = 1_000
        return refusal
    }

    /// `limit` is how many queues there may be.
    public static func tooManyQueues(limit: Int) -> Refusal {
        Refusal(
            429,
            "too_many_queues",
            "There are \(limit) queues, and these jobs would need another one.",
            hint: "Use a queue that is there; one that has no jobs left makes room."
        )
    }

    /// `place` is the job's place in the submission, from 0; nil when it is the only one. `number`
    /// is the place in its `after`.
    public static func unknownPredecessor(
        _ predecessor: Predecessor,
        isIssued: Bool,
        at place: Int?,
        _ number: Int
    ) -> Refusal {
        let sentence =
            switch predecessor.reference {
            case .job(let id) where isIssued:
                "Job \(id.rawValue), to come after, is no longer kept."
            case .job(let id): "There is no job \(id.rawValue) to come after."
            case .sibling: "No job of this submission has the name to come after."
            }
        return Refusal(
            422,
            "unknown_predecessor",
            sentence,
            hint: "Name jobs that are there, or jobs of the same submission by their names.",
            field: place.map { "jobs[\($0)].after[\(number)]" } ?? "after[\(number)]"
        )
    }

    /// The same may be taken later.
    public var isForNow: Bool { status == 429 || status == 503 }

    /// A job has a key of which it is not known yet whose it is: see `keyBeingStored`.
    public var isOfKey: Bool { status == 503 && field != nil }

    /// Some jobs of a file are written, none is seen, and one of them has this key.
    public static func keyBeingStored(_ key: String, at place: Int?) -> Refusal {
        var refusal = Refusal(
            503,
            "busy",
            "The key \(key) is that of a job in a file that is being stored.",
            hint: "Send the same again when the file is stored; sys.stats tells how far it is.",
            field: keyField(place)
        )
        refusal.retryAfterMs = 1_000
        return refusal
    }

    /// A file that comes again while its first coming is still being removed.
    public static let fileBeingRemoved: Refusal = {
        var refusal = Refusal(
            503,
            "busy",
            "What an earlier try has stored of the file is being removed.",
            hint: "It is tried again by itself."
        )
        refusal.retryAfterMs = 1_000
        return refusal
    }()

    /// What is in `taken/` belongs to the runner.
    public static let fileChanged = Refusal(
        409,
        "file_changed",
        "The file was changed while its jobs were being stored.",
        hint: "Drop it again, and leave alone what lies in taken/."
    )

    public static let pieceOutOfStep = Refusal(
        409,
        "file_changed",
        "What was stored of the file is not what comes before.",
        hint: "Drop it again."
    )

    /// It is begun anew.
    public static let settingsChanged = Refusal(
        409,
        "settings_changed",
        "The file was begun under other settings, under which its jobs meant something else.",
        hint: "What was stored of it is removed, and it is begun anew."
    )

    public static let fileDamaged = Refusal(
        500,
        "file_damaged",
        "The store does not know any more how far the file is.",
        hint: "Ask `millrace doctor` about the store, and restore a backup."
    )

    private static func keyField(_ place: Int?) -> String {
        place.map { "jobs[\($0)].key" } ?? "key"
    }
}
