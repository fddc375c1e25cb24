/// Every statement that only reads, by what it is asked for.
enum Questions: Int, StatementList {
    case begin, end
    case nextTurns, nextQueue, nextPriority, ready, oldestReady, nextReadyAt, pausedQueues
    case waiting, inputs, input, inputBytes, parent, sources, predecessors
    case standing, owner, titanicOwner, details, failure, pastAttempts, children, marks
    case resultHead, resultBody, resultParts, partResults
    case listAll, listRare, selectAll, selectRare
    case queue, queues, counts, pageCount, pageSize
    case endedFiles, file, fileByName, fileJobs, countFileJobs, stages, loadingFiles
    case endings, resultBytes

    var sql: String {
        switch self {
        case .begin: "BEGIN"
        case .end: "COMMIT"
        case .nextTurns, .nextQueue, .nextPriority, .ready, .oldestReady, .nextReadyAt,
            .pausedQueues:
            readyText
        case .sources, .predecessors: dependencyText
        case .waiting, .inputs, .input, .inputBytes, .parent, .standing, .owner, .titanicOwner,
            .details, .failure, .pastAttempts, .children, .marks:
            jobText
        case .resultHead, .resultBody, .resultParts, .partResults: resultText
        case .listAll, .listRare, .selectAll, .selectRare: listText
        case .queue, .queues, .counts, .pageCount, .pageSize: totalText
        case .endedFiles, .file, .fileByName, .fileJobs, .countFileJobs, .stages, .loadingFiles:
            fileText
        case .endings:
            """
            SELECT id, state, finished_at, keep_ms, parent_id, is_split, parts FROM jobs
             WHERE id > :after
             ORDER BY id
            """
        case .resultBytes: "SELECT total_bytes FROM results WHERE job_id = :job_id"
        }
    }

    /// Each of these is one seek in the index of ready jobs.
    private var readyText: String {
        switch self {
        case .nextTurns:
            """
            SELECT queue, turns FROM jobs
             WHERE state = 'queued' AND waits_for = 0 AND queue = :queue AND turns > :turns
             ORDER BY turns LIMIT 1
            """
        case .nextQueue:
            """
            SELECT queue, turns FROM jobs
             WHERE state = 'queued' AND waits_for = 0 AND queue > :queue
             ORDER BY queue, turns LIMIT 1
            """
        case .nextPriority:
            """
            SELECT priority FROM jobs
             WHERE state = 'queued' AND waits_for = 0
               AND queue = :queue AND turns = :turns AND priority < :below
             ORDER BY priority DESC LIMIT 1
            """
        case .ready:
            """
            SELECT \(Columns.waiting) FROM jobs
             WHERE state = 'queued' AND waits_for = 0
               AND queue = :queue AND turns = :turns AND priority = :priority
               AND ready_at <= :now
             ORDER BY ready_at, id
            """
        case .oldestReady:
            """
            SELECT ready_at FROM jobs
             WHERE state = 'queued' AND waits_for = 0
               AND queue = :queue AND turns = :turns AND priority = :priority
               AND ready_at <= :now
             ORDER BY ready_at LIMIT 1
            """
        case .nextReadyAt:
            """
            SELECT ready_at FROM jobs INDEXED BY jobs_scheduled
             WHERE state = 'queued' AND waits_for = 0 AND (ready_at > created_at OR attempt > 0)
               AND ready_at > :now
             ORDER BY ready_at LIMIT 1
            """
        default: "SELECT name FROM queues WHERE is_paused = 1 ORDER BY name"
        }
    }

    private var jobText: String {
        switch self {
        case .waiting: "SELECT \(Columns.waiting) FROM jobs WHERE id = :id"
        case .inputs: "SELECT number, bytes FROM inputs WHERE job_id = :job_id ORDER BY number"
        case .input: "SELECT bytes FROM inputs WHERE job_id = :job_id AND number = :number"
        case .parent: "SELECT parent_id FROM jobs WHERE id = :id"
        case .inputBytes:
            "SELECT ifnull(sum(length(bytes)), 0) FROM inputs WHERE job_id = :job_id"
        case .standing: "SELECT state, attempt FROM jobs WHERE id = :id"
        case .owner: "SELECT owner FROM jobs WHERE id = :id"
        case .titanicOwner:
            "SELECT owner FROM jobs WHERE id = :id AND salt = :salt AND writes IS NULL"
        case .details: "SELECT \(Columns.details) FROM jobs WHERE id = :id"
        case .failure: "SELECT \(Columns.failure) FROM failures WHERE job_id = :job_id"
        case .pastAttempts:
            """
            SELECT attempt, worker, started_at, ended_at, \(Columns.failure) FROM attempts
             WHERE job_id = :job_id
             ORDER BY attempt
            """
        case .children: "SELECT count(*) FROM jobs WHERE parent_id = :parent_id"
        default: "SELECT highest_id FROM marks"
        }
    }

    private var dependencyText: String {
        switch self {
        case .sources:
            """
            SELECT after_id, name FROM dependencies
             WHERE job_id = :job_id AND is_source = 1
             ORDER BY place
            """
        default:
            """
            SELECT after_id, jobs.name, jobs.state, is_open
              FROM dependencies LEFT JOIN jobs ON jobs.id = after_id
             WHERE job_id = :job_id
             ORDER BY place
            """
        }
    }

    private var resultText: String {
        switch self {
        case .resultHead:
            """
            SELECT attempt, format, rows, total_bytes, checksum FROM results
             WHERE job_id = :job_id
            """
        case .resultBody: "SELECT body FROM results WHERE job_id = :job_id"
        case .resultParts:
            """
            SELECT part, body, checksum FROM result_parts
             WHERE job_id = :job_id AND attempt = :attempt AND part BETWEEN :first AND :last
             ORDER BY part
            """
        default:
            """
            SELECT id, part FROM jobs
             WHERE parent_id = :parent_id AND state = 'succeeded'
             ORDER BY part
            """
        }
    }

    /// In the order of the ids. The reader compares the filter's other fields itself and counts
    /// what it has looked at.
    private var listText: String {
        switch self {
        case .listAll:
            "SELECT \(Columns.details) FROM jobs WHERE id < :before ORDER BY id DESC"
        case .listRare:
            """
            SELECT \(Columns.details) FROM jobs
             WHERE state <> 'queued' AND state <> 'succeeded' AND id < :before AND state = :state
             ORDER BY id DESC
            """
        case .selectAll:
            """
            SELECT kind, queue, parent_id, owner, id, state FROM jobs
             WHERE id > :after
             ORDER BY id
            """
        default:
            """
            SELECT kind, queue, parent_id, owner, id, state FROM jobs
             WHERE state <> 'queued' AND state <> 'succeeded' AND id > :after AND state = :state
             ORDER BY id
            """
        }
    }

    private var fileText: String {
        switch self {
        case .endedFiles:
            """
            SELECT id FROM spool_files
             WHERE is_closed = 0 AND open_jobs = 0 AND phase <> 'loading' AND phase <> 'removing'
               AND id > 0
             ORDER BY id
            """
        case .stages:
            "SELECT \(Columns.stage) FROM spool_files WHERE phase <> 'loaded' AND id > 0"
        case .loadingFiles:
            """
            SELECT taken_as FROM spool_files
             WHERE phase <> 'loaded' AND id > 0 AND phase = 'loading'
            """
        case .file: "SELECT name, taken_as, first_id, jobs FROM spool_files WHERE id = :id"
        case .fileByName: "SELECT \(Columns.stage) FROM spool_files WHERE taken_as = :taken_as"
        case .countFileJobs:
            "SELECT count(*) FROM jobs WHERE id BETWEEN :first AND :last AND file_id = :file_id"
        default:
            """
            SELECT id, name FROM jobs
             WHERE id BETWEEN :first AND :last AND file_id = :file_id
             ORDER BY id LIMIT :limit
            """
        }
    }

    private var totalText: String {
        switch self {
        case .queue:
            """
            SELECT name, is_paused, queued, running, succeeded, failed, cancelled FROM queues
             WHERE name = :name
            """
        case .queues:
            """
            SELECT name, is_paused, queued, running, succeeded, failed, cancelled FROM queues
             ORDER BY name
            """
        case .counts:
            """
            SELECT sum(queued), sum(running), sum(succeeded), sum(failed), sum(cancelled)
              FROM queues
            """
        case .pageCount: "PRAGMA page_count"
        default: "PRAGMA page_size"
        }
    }
}
