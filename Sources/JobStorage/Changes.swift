/// Every statement that a commit runs, roughly in the order of a job's life.
///
/// The one that changes a job names the state and the attempt that were read: when `Job.apply` has
/// decided on anything else than what stands in the row, no row is changed.
enum Changes: Int, StatementList {
    case insertJob, insertEnded, insertInput, jobByKey, job, updateJob, succeed
    case insertResult, insertResultPart, insertAttempt, insertFailure, deleteFailure
    case openChildren, children
    case insertDependency, closeDependencies, setOpen, links, dependants, openDependant
    case deleteDependencies, newestDependency, state
    case ending, fileIsClosed, deleteFile
    case deleteJob, deleteInputs, deleteResult, deleteResultParts, deleteAttempts
    case fileByName, insertFile, countFile, closeFile
    case insertStage, saveStage, saveReleased, deleteStage, stage, stages, stageNames
    case countStaged, stagedQueues, deleteStagedQueues
    case stagedJob, releaseJobs, deleteStagedJobs, deleteStagedInputs
    case countQueue, insertQueue, pauseQueue, pauseAll, saveMarks
    case marks, openJobs, newestRun, newestJob, insertRun, stopRun, runningJobs, deleteIdleQueues
    case queueNames, readyAgain, renewIdentity, identity

    var sql: String {
        switch self {
        case .insertJob, .insertEnded, .insertInput, .jobByKey, .job, .updateJob, .succeed: jobText
        case .insertResult, .insertResultPart, .insertAttempt, .insertFailure, .deleteFailure:
            endingText
        case .openChildren, .children, .deleteJob, .deleteInputs, .deleteResult,
            .deleteResultParts, .deleteAttempts:
            removalText
        case .insertDependency, .closeDependencies, .setOpen, .links, .dependants,
            .openDependant, .deleteDependencies, .newestDependency, .state:
            dependencyText
        case .ending: "SELECT finished_at, keep_ms FROM jobs WHERE id = :id"
        case .fileByName, .insertFile, .countFile, .closeFile, .fileIsClosed, .deleteFile: fileText
        case .insertStage, .saveStage, .saveReleased, .deleteStage, .stage, .stages, .stageNames,
            .countStaged, .stagedQueues, .deleteStagedQueues, .stagedJob, .releaseJobs,
            .deleteStagedJobs, .deleteStagedInputs:
            stageText
        case .countQueue, .insertQueue, .pauseQueue, .pauseAll, .saveMarks: tallyText
        case .marks, .openJobs, .newestRun, .newestJob, .insertRun, .stopRun, .runningJobs,
            .deleteIdleQueues, .queueNames, .readyAgain, .renewIdentity, .identity:
            startText
        }
    }

    private var jobText: String {
        switch self {
        case .insertJob: insertion()
        case .insertEnded: insertion(ended: true)
        case .insertInput: "INSERT INTO inputs VALUES (:job_id, :number, :bytes)"
        case .jobByKey:
            "SELECT id, state, fingerprint FROM jobs WHERE owner = :owner AND key = :key"
        case .job:
            """
            SELECT \(Columns.job), queue, parent_id, part, file_id, started_at, worker,
                   created_at, on_failure, dependencies
              FROM jobs
             WHERE id = :id
            """
        case .succeed:
            """
            UPDATE jobs
               SET state = 'succeeded', attempt = 1, started_at = :started_at,
                   finished_at = :finished_at, worker = :worker
             WHERE id = :id AND state = 'queued' AND attempt = 0 AND failures = 0 AND losses = 0
               AND waits_for = 0 AND is_split = 0
               AND queue = :queue AND parent_id IS NULL AND file_id IS NULL
            """
        default:
            """
            UPDATE jobs
               SET state = :state, attempt = :attempt, failures = :failures, losses = :losses,
                   ready_at = :ready_at, waits_for = :waits_for, is_split = :is_split,
                   cancel_requested = :cancel_requested, started_at = :started_at,
                   finished_at = :finished_at, worker = :worker,
                   turns = CASE WHEN turns >= 'x' THEN turns
                                WHEN :losses > 0 THEN 's' || ifnull(writes, '')
                                ELSE ifnull('w' || writes, '') END
             WHERE id = :id
               AND state = :expected_state AND attempt = :expected_attempt
            """
        }
    }

    /// A new job, or one that has succeeded by the time it is written.
    private func insertion(ended: Bool = false) -> String {
        let (columns, values) =
            ended
            ? ("attempt, started_at, worker, finished_at,", "1, :started_at, :worker, :created_at,")
            : ("", "")
        return """
            INSERT INTO jobs
                (id, state, ready_at, created_at, kind, queue, priority, timeout_ms, max_attempts,
                 first_ms, longest_ms, parts, writes, salt, sort, name, tags, keep_ms, key,
                 fingerprint, parent_id, part, file_id, frames, owner, checksum, turns,
                 waits_for, dependencies, on_failure, \(columns) body)
            VALUES
                (:id, '\(ended ? "succeeded" : "queued")', :ready_at, :created_at, :kind, :queue,
                 :priority, :timeout_ms, :max_attempts, :first_ms, :longest_ms, :parts, :writes,
                 :salt, :sort, :name, :tags, :keep_ms, :key, :fingerprint, :parent_id, :part,
                 :file_id, :frames, :owner, :checksum, :turns,
                 :waits_for, :dependencies, :on_failure, \(values) :body)
            """
    }

    private var endingText: String {
        switch self {
        case .insertResult:
            """
            INSERT INTO results
                (job_id, attempt, format, rows, total_bytes, duration_us, checksum, body)
            VALUES
                (:job_id, :attempt, :format, :rows, :total_bytes, :duration_us, :checksum, :body)
            """
        case .insertResultPart:
            """
            INSERT INTO result_parts (job_id, attempt, part, checksum, body)
            VALUES (:job_id, :attempt, :part, :checksum, :body)
            """
        case .insertAttempt:
            """
            INSERT INTO attempts
                (job_id, attempt, worker, started_at, ended_at, \(Columns.failure))
            VALUES
                (:job_id, :attempt, :worker, :started_at, :ended_at,
                 :code, :message, :hint, :sqlite_code, :offset, :is_permanent)
            """
        case .insertFailure:
            """
            INSERT INTO failures (job_id, \(Columns.failure))
            VALUES (:job_id, :code, :message, :hint, :sqlite_code, :offset, :is_permanent)
            """
        default: "DELETE FROM failures WHERE job_id = :job_id"
        }
    }

    private var removalText: String {
        switch self {
        case .openChildren:
            """
            SELECT id FROM jobs
             WHERE parent_id = :parent_id AND state IN ('queued', 'running')
             ORDER BY part
            """
        case .children: "SELECT id FROM jobs WHERE parent_id = :parent_id ORDER BY part"
        case .deleteJob: "DELETE FROM jobs WHERE id = :id"
        case .deleteInputs: "DELETE FROM inputs WHERE job_id = :job_id"
        case .deleteResult: "DELETE FROM results WHERE job_id = :job_id"
        case .deleteResultParts: "DELETE FROM result_parts WHERE job_id = :job_id"
        default: "DELETE FROM attempts WHERE job_id = :job_id"
        }
    }

    private var dependencyText: String {
        switch self {
        case .insertDependency:
            """
            INSERT INTO dependencies (job_id, place, after_id, name, is_source, is_open)
            VALUES (:job_id, :place, :after_id, :name, :is_source, :is_open)
            """
        case .closeDependencies:
            """
            UPDATE dependencies SET is_open = 0
             WHERE after_id = :after_id AND is_open = 1
            RETURNING job_id
            """
        case .setOpen:
            """
            UPDATE dependencies SET is_open = :is_open
             WHERE job_id = :job_id AND place = :place
            """
        case .links:
            """
            SELECT place, after_id, jobs.state
              FROM dependencies LEFT JOIN jobs ON jobs.id = after_id
             WHERE job_id = :job_id
             ORDER BY place
            """
        case .dependants:
            """
            SELECT DISTINCT job_id FROM dependencies
             WHERE after_id = :after_id
             ORDER BY job_id
            """
        case .openDependant:
            """
            SELECT 1
              FROM dependencies CROSS JOIN jobs ON jobs.id = job_id
             WHERE after_id = :after_id AND (jobs.state = 'queued' OR jobs.state = 'running')
             LIMIT 1
            """
        case .deleteDependencies: "DELETE FROM dependencies WHERE job_id = :job_id"
        case .newestDependency: "SELECT max(job_id) FROM dependencies"
        default: "SELECT state FROM jobs WHERE id = :id"
        }
    }

    private var fileText: String {
        switch self {
        case .fileByName:
            "SELECT \(Columns.stage) FROM spool_files WHERE taken_as = :taken_as"
        case .insertFile:
            """
            INSERT INTO spool_files
                (id, name, taken_as, bytes, digest, taken_at, first_id, jobs, open_jobs)
            VALUES
                (max(:first_id, (SELECT ifnull(max(id), 0) + 1 FROM spool_files)),
                 :name, :taken_as, :bytes, :digest, :taken_at, :first_id, :jobs, :open_jobs)
            """
        case .countFile:
            """
            UPDATE spool_files
               SET open_jobs = open_jobs + :difference,
                   is_closed = CASE WHEN :difference > 0 THEN 0 ELSE is_closed END
             WHERE id = :id
            RETURNING open_jobs
            """
        case .fileIsClosed: "SELECT is_closed FROM spool_files WHERE id = :id"
        case .deleteFile:
            """
            DELETE FROM spool_files
             WHERE id = :id AND is_closed = 1
               AND NOT EXISTS (
                   SELECT 1 FROM jobs
                    WHERE jobs.id BETWEEN first_id AND first_id + spool_files.jobs - 1
                      AND file_id = spool_files.id)
            """
        default:
            """
            UPDATE spool_files SET is_closed = 1
             WHERE id = :id AND open_jobs = 0 AND phase <> 'loading' AND phase <> 'removing'
            """
        }
    }

    private var tallyText: String {
        switch self {
        case .countQueue:
            """
            UPDATE queues
               SET queued = queued + :queued, running = running + :running,
                   succeeded = succeeded + :succeeded, failed = failed + :failed,
                   cancelled = cancelled + :cancelled
             WHERE name = :name
            """
        case .insertQueue:
            """
            INSERT INTO queues (queued, running, succeeded, failed, cancelled, name)
            VALUES (:queued, :running, :succeeded, :failed, :cancelled, :name)
            """
        case .pauseQueue:
            """
            INSERT INTO queues (name, is_paused) VALUES (:name, :is_paused)
            ON CONFLICT (name) DO UPDATE SET is_paused = excluded.is_paused
            """
        case .pauseAll: "UPDATE queues SET is_paused = :is_paused RETURNING name"
        default:
            """
            UPDATE marks
               SET highest_id = :highest_id, reserved_up_to = :reserved_up_to,
                   open_parts = :open_parts
            """
        }
    }

    private var startText: String {
        switch self {
        case .marks: "SELECT highest_id, reserved_up_to, open_parts FROM marks"
        case .openJobs: "SELECT total(queued + running) FROM queues"
        case .queueNames:
            """
            SELECT name FROM queues
             UNION ALL SELECT queue FROM staged_queues WHERE file_id > 0
            """
        case .newestRun: "SELECT id, stopped_at, started_at FROM runs ORDER BY id DESC LIMIT 1"
        case .newestJob:
            """
            SELECT created_at, finished_at FROM jobs
             WHERE id <= :id
             ORDER BY id DESC LIMIT 1
            """
        case .insertRun: "INSERT INTO runs (id, started_at) VALUES (:id, :started_at)"
        case .stopRun: "UPDATE runs SET stopped_at = :stopped_at WHERE id = :id"
        case .runningJobs:
            """
            SELECT id FROM jobs
             WHERE state <> 'queued' AND state <> 'succeeded' AND state = 'running'
             ORDER BY id
            """
        case .readyAgain:
            """
            UPDATE jobs INDEXED BY jobs_ready SET ready_at = :now
             WHERE state = 'queued' AND waits_for = 0
               AND queue = :queue AND turns = :turns AND priority = :priority AND ready_at > :now
               AND (ready_at <= created_at OR ready_at <= :latest)
            """
        case .renewIdentity:
            """
            UPDATE identity SET store_id = lower(hex(randomblob(16))), is_backup = 0
             WHERE id = 1 AND is_backup = 1
            """
        case .identity: "SELECT store_id FROM identity WHERE id = 1"
        default:
            """
            DELETE FROM queues
             WHERE is_paused = 0
               AND queued = 0 AND running = 0 AND succeeded = 0 AND failed = 0 AND cancelled = 0
            """
        }
    }
}
