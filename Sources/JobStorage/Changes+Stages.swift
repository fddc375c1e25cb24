/// The statements about files that are written in pieces.
extension Changes {
    var stageText: String {
        switch self {
        case .insertStage:
            """
            INSERT INTO spool_files
                (id, name, taken_as, bytes, digest, taken_at, first_id, jobs, open_jobs, phase)
            VALUES
                (max(:first_id, (SELECT ifnull(max(id), 0) + 1 FROM spool_files)),
                 :name, :taken_as, :bytes, :digest, :taken_at, :first_id, :jobs, 0, 'loading')
            """
        case .saveStage:
            """
            UPDATE spool_files SET phase = :phase, staged = :staged, open_jobs = :open_jobs
             WHERE id = :id
            """
        case .saveReleased:
            "UPDATE spool_files SET phase = :phase, released = :released WHERE id = :id"
        case .deleteStage: "DELETE FROM spool_files WHERE id = :id"
        case .stage: "SELECT \(Columns.stage) FROM spool_files WHERE id = :id"
        case .stages: "SELECT \(Columns.stage) FROM spool_files WHERE phase <> 'loaded' AND id > 0"
        case .stageNames:
            "SELECT taken_as FROM spool_files WHERE phase <> 'loaded' AND id > 0 AND phase = :phase"
        case .countStaged, .stagedQueues, .deleteStagedQueues: stagedQueuesText
        default: stagedJobsText
        }
    }

    private var stagedQueuesText: String {
        switch self {
        case .countStaged:
            """
            INSERT INTO staged_queues (file_id, queue, jobs) VALUES (:file_id, :queue, :jobs)
            ON CONFLICT (file_id, queue) DO UPDATE SET jobs = jobs + excluded.jobs
            """
        case .stagedQueues: "SELECT queue, jobs FROM staged_queues WHERE file_id = :file_id"
        default: "DELETE FROM staged_queues WHERE file_id = :file_id"
        }
    }

    /// Each of these is a walk along the ids of one step. A job that was to be ready at once is so
    /// even if the clock was set back since.
    private var stagedJobsText: String {
        switch self {
        case .releaseJobs:
            """
            UPDATE jobs
               SET waits_for = 0,
                   ready_at = CASE WHEN ready_at <= created_at THEN min(ready_at, :now)
                                   ELSE ready_at END
             WHERE id BETWEEN :first AND :last AND file_id = :file_id
               AND state = 'queued' AND attempt = 0 AND is_split = 0 AND waits_for = 1
            """
        case .deleteStagedJobs:
            "DELETE FROM jobs WHERE id BETWEEN :first AND :last AND file_id = :file_id"
        case .stagedJob:
            "SELECT salt, checksum, turns FROM jobs WHERE id = :id AND file_id = :file_id"
        default: "DELETE FROM inputs WHERE job_id BETWEEN :first AND :last"
        }
    }
}
