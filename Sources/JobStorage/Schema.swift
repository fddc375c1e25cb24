/// The history of the schema. Append only: a step that was ever released is never edited.
///
/// The number of steps done is the database's `user_version`. Times are ms since 1970, UTC. Each
/// index is paid for with every job, so there are no more than the statements need. No rule names
/// more than two values in an `IN`: SQLite makes a table of them for each row that is written.
enum Schema {
    /// "MILL" in ASCII, by which a store is told from any other database.
    static let applicationID: Int64 = 0x4D49_4C4C

    static let steps = [first, second, third, fourth, fifth, sixth]

    private static let first = """
        CREATE TABLE jobs (
            id               INTEGER PRIMARY KEY,
            state            TEXT    NOT NULL
                CHECK (state = 'queued' OR state = 'running'
                    OR state = 'succeeded' OR state = 'failed' OR state = 'cancelled'),
            attempt          INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
            failures         INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
            losses           INTEGER NOT NULL DEFAULT 0 CHECK (losses >= 0),
            ready_at         INTEGER NOT NULL,
            waits_for        INTEGER NOT NULL DEFAULT 0 CHECK (waits_for >= 0),
            is_split         INTEGER NOT NULL DEFAULT 0 CHECK (is_split IN (0, 1)),
            cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
            created_at       INTEGER NOT NULL,
            started_at       INTEGER,               -- of the run under way, or of the last one
            finished_at      INTEGER,
            worker           INTEGER,
            kind             TEXT    NOT NULL,
            queue            TEXT    NOT NULL,
            priority         INTEGER NOT NULL CHECK (priority BETWEEN -100 AND 100),
            timeout_ms       INTEGER NOT NULL,
            max_attempts     INTEGER NOT NULL,
            first_ms         INTEGER NOT NULL,      -- pause after the first failure
            longest_ms       INTEGER NOT NULL,      -- bound of every pause
            parts            INTEGER NOT NULL,
            writes           TEXT,                  -- the database that a run may change
            sort             INTEGER NOT NULL,      -- the same for jobs that take about as long
            name             TEXT,
            tags             TEXT,                  -- one a line
            keep_ms          INTEGER,
            key              TEXT,
            fingerprint      INTEGER NOT NULL,
            parent_id        INTEGER,
            part             INTEGER,               -- place among the parent's children, from 1
            file_id          INTEGER,
            frames           INTEGER NOT NULL,      -- rows in inputs
            body             TEXT    NOT NULL,      -- the work, in JSON
            CHECK (state <> 'running' OR (attempt > 0 AND started_at IS NOT NULL)),
            CHECK (state = 'queued' OR waits_for = 0),
            CHECK (state = 'running' OR cancel_requested = 0),
            CHECK ((state IN ('queued', 'running')) = (finished_at IS NULL)),
            CHECK ((parent_id IS NULL) = (part IS NULL))
        ) STRICT;

        CREATE INDEX jobs_ready ON jobs (queue, priority DESC, ready_at, id)
            WHERE state = 'queued' AND waits_for = 0;
        CREATE INDEX jobs_scheduled ON jobs (ready_at)
            WHERE state = 'queued' AND waits_for = 0 AND ready_at > created_at;
        CREATE INDEX jobs_rare ON jobs (state, id)
            WHERE state <> 'queued' AND state <> 'succeeded';
        CREATE UNIQUE INDEX jobs_key ON jobs (key) WHERE key IS NOT NULL;
        CREATE INDEX jobs_children ON jobs (parent_id, part) WHERE parent_id IS NOT NULL;

        CREATE TABLE inputs (
            job_id INTEGER NOT NULL,
            number INTEGER NOT NULL,                -- as the body refers to it
            bytes  BLOB    NOT NULL,
            PRIMARY KEY (job_id, number)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE results (
            job_id      INTEGER PRIMARY KEY,
            attempt     INTEGER NOT NULL,
            format      TEXT    NOT NULL,
            rows        INTEGER,
            total_bytes INTEGER NOT NULL,
            duration_us INTEGER NOT NULL,
            body        BLOB,                       -- NULL when it lies in result_parts
            CHECK (body IS NULL OR length(body) = total_bytes)
        ) STRICT;

        CREATE TABLE result_parts (
            job_id  INTEGER NOT NULL,
            attempt INTEGER NOT NULL,
            part    INTEGER NOT NULL,               -- from 0; all but the last are 1 MiB
            body    BLOB    NOT NULL,
            PRIMARY KEY (job_id, attempt, part)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE attempts (                     -- runs that failed or were lost
            job_id       INTEGER NOT NULL,
            attempt      INTEGER NOT NULL,
            worker       INTEGER,
            started_at   INTEGER,
            ended_at     INTEGER NOT NULL,
            code         TEXT    NOT NULL,
            message      TEXT    NOT NULL,
            hint         TEXT,
            sqlite_code  INTEGER,
            offset       INTEGER,
            is_permanent INTEGER NOT NULL CHECK (is_permanent IN (0, 1)),
            PRIMARY KEY (job_id, attempt)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE failures (                     -- why a job is 'failed'
            job_id       INTEGER PRIMARY KEY,
            code         TEXT    NOT NULL,
            message      TEXT    NOT NULL,
            hint         TEXT,
            sqlite_code  INTEGER,
            offset       INTEGER,
            is_permanent INTEGER NOT NULL CHECK (is_permanent IN (0, 1))
        ) STRICT;

        CREATE TABLE queues (                       -- with the jobs in each state, children apart
            name      TEXT    PRIMARY KEY,
            is_paused INTEGER NOT NULL DEFAULT 0 CHECK (is_paused IN (0, 1)),
            queued    INTEGER NOT NULL DEFAULT 0 CHECK (queued >= 0),
            running   INTEGER NOT NULL DEFAULT 0 CHECK (running >= 0),
            succeeded INTEGER NOT NULL DEFAULT 0 CHECK (succeeded >= 0),
            failed    INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
            cancelled INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE spool_files (
            id        INTEGER PRIMARY KEY,
            name      TEXT    NOT NULL,             -- as it was dropped
            taken_as  TEXT    NOT NULL UNIQUE,
            bytes     INTEGER NOT NULL,
            digest    TEXT    NOT NULL,             -- SHA-256, hexadecimal
            taken_at  INTEGER NOT NULL,
            first_id  INTEGER NOT NULL,             -- of its jobs, in the order of the file
            jobs      INTEGER NOT NULL,
            open_jobs INTEGER NOT NULL CHECK (open_jobs BETWEEN 0 AND jobs),
            is_closed INTEGER NOT NULL DEFAULT 0 CHECK (is_closed IN (0, 1))
        ) STRICT;

        CREATE INDEX spool_files_ended ON spool_files (id) WHERE is_closed = 0 AND open_jobs = 0;

        CREATE TABLE runs (                         -- starts of the runner
            id         INTEGER PRIMARY KEY,
            started_at INTEGER NOT NULL,
            stopped_at INTEGER                      -- NULL when it did not end by itself
        ) STRICT;

        CREATE TABLE marks (                        -- one row: ids that are taken
            id             INTEGER PRIMARY KEY CHECK (id = 1),
            highest_id     INTEGER NOT NULL,        -- of all jobs there ever were
            reserved_up_to INTEGER NOT NULL CHECK (reserved_up_to >= 0)
        ) STRICT;
        INSERT INTO marks VALUES (1, 0, 0);

        CREATE VIEW job_overview AS                 -- for people
        SELECT jobs.id,
               CASE WHEN state <> 'queued' THEN state
                    WHEN waits_for > 0 THEN 'blocked'
                    WHEN ready_at <= (julianday('now') - 2440587.5) * 86400000 THEN state
                    WHEN failures > 0 THEN 'retrying'
                    ELSE 'scheduled'
               END AS state,
               kind, queue, priority, name, key, jobs.attempt,
               strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') AS created_at,
               strftime('%Y-%m-%dT%H:%M:%fZ', ready_at / 1000.0, 'unixepoch') AS ready_at,
               strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1000.0, 'unixepoch') AS started_at,
               strftime('%Y-%m-%dT%H:%M:%fZ', finished_at / 1000.0, 'unixepoch') AS finished_at,
               results.total_bytes AS result_bytes, failures.code AS error,
               failures.message AS message, parent_id, jobs.body
          FROM jobs
          LEFT JOIN results ON results.job_id = jobs.id
          LEFT JOIN failures ON failures.job_id = jobs.id;
        """

    /// Owners, and what tells the receipts of one store's write jobs from those of any other.
    private static let second = """
        ALTER TABLE jobs ADD COLUMN owner TEXT NOT NULL DEFAULT '';  -- '' for local clients
        ALTER TABLE jobs ADD COLUMN salt INTEGER;                   -- random; of jobs that write
        UPDATE jobs SET salt = random() WHERE writes IS NOT NULL;

        DROP INDEX jobs_key;
        CREATE UNIQUE INDEX jobs_key ON jobs (owner, key) WHERE key IS NOT NULL;

        CREATE TABLE identity (                     -- one row
            id        INTEGER PRIMARY KEY CHECK (id = 1),
            store_id  TEXT    NOT NULL,             -- random, new for each life of a store
            is_backup INTEGER NOT NULL DEFAULT 0 CHECK (is_backup IN (0, 1))
        ) STRICT;
        INSERT INTO identity (id, store_id) VALUES (1, lower(hex(randomblob(16))));
        """

    /// What a flipped bit would change unnoticed is summed up; NULL in rows that are older.
    private static let third = """
        ALTER TABLE jobs ADD COLUMN checksum INTEGER;           -- of the work, inputs included
        ALTER TABLE results ADD COLUMN checksum INTEGER;        -- of the row
        ALTER TABLE result_parts ADD COLUMN checksum INTEGER;   -- of the row
        """

    /// Parts of divided jobs are counted.
    ///
    /// Ready jobs stand apart by the turns that they need, see `Turns`: what waits for a turn is
    /// not walked through to find what does not. It is no generated column, for `VACUUM` fails on
    /// those in tables with such checks.
    ///
    /// A job with an attempt behind it may be ready after it was made, however the clock was set.
    ///
    /// From here on the sum of a job that writes is of its salt, too: an older program would take
    /// new rows for damaged.
    private static let fourth = """
        ALTER TABLE jobs ADD COLUMN turns TEXT NOT NULL DEFAULT '';
        UPDATE jobs
           SET turns = CASE WHEN losses > 0 THEN 's' || ifnull(writes, '') ELSE 'w' || writes END
         WHERE losses > 0 OR writes IS NOT NULL;
        DROP INDEX jobs_ready;
        CREATE INDEX jobs_ready ON jobs (queue, turns, priority DESC, ready_at)  -- and the id
            WHERE state = 'queued' AND waits_for = 0;

        DROP INDEX jobs_scheduled;
        CREATE INDEX jobs_scheduled ON jobs (ready_at)
            WHERE state = 'queued' AND waits_for = 0 AND (ready_at > created_at OR attempt > 0);

        ALTER TABLE marks ADD COLUMN open_parts INTEGER NOT NULL DEFAULT 0;  -- that have not ended
        UPDATE marks SET open_parts = (
            SELECT count(*) FROM jobs
             WHERE parent_id IS NOT NULL AND (state = 'queued' OR state = 'running'));
        """

    /// Jobs that come after others. What waits for others is in no index of its own: whoever ends
    /// finds by its number what comes after it.
    private static let fifth = """
        ALTER TABLE jobs ADD COLUMN dependencies INTEGER NOT NULL DEFAULT 0;  -- rows there
        ALTER TABLE jobs ADD COLUMN on_failure TEXT NOT NULL DEFAULT 'fail';  -- or 'run'

        CREATE TABLE dependencies (
            job_id    INTEGER NOT NULL,
            place     INTEGER NOT NULL,             -- from 1, in the order of the submission
            after_id  INTEGER NOT NULL,             -- the job that it comes after
            name      TEXT,                         -- by which the job's work calls that one
            is_source INTEGER NOT NULL CHECK (is_source IN (0, 1)),  -- the work takes its result
            is_open   INTEGER NOT NULL CHECK (is_open IN (0, 1)),    -- the job waits for it
            PRIMARY KEY (job_id, place)
        ) STRICT, WITHOUT ROWID;

        CREATE INDEX dependencies_after ON dependencies (after_id);  -- and the job that waits
        """

    /// Files that are written in pieces, and whose jobs nobody sees before the last one.
    private static let sixth = """
        ALTER TABLE spool_files ADD COLUMN phase TEXT NOT NULL DEFAULT 'loaded'
            CHECK (phase = 'loaded' OR phase = 'loading' OR phase = 'opening'
                OR phase = 'removing');
        ALTER TABLE spool_files ADD COLUMN staged INTEGER NOT NULL DEFAULT 0;    -- jobs written
        ALTER TABLE spool_files ADD COLUMN released INTEGER NOT NULL DEFAULT 0;  -- jobs ready
        CREATE INDEX spool_files_staged ON spool_files (id) WHERE phase <> 'loaded';
        DROP INDEX spool_files_ended;
        CREATE INDEX spool_files_ended ON spool_files (id)
            WHERE is_closed = 0 AND open_jobs = 0 AND phase <> 'loading' AND phase <> 'removing';

        CREATE TABLE staged_queues (                -- jobs that nobody sees, as queues counts them
            file_id INTEGER NOT NULL,
            queue   TEXT    NOT NULL,
            jobs    INTEGER NOT NULL CHECK (jobs >= 0),
            PRIMARY KEY (file_id, queue)
        ) STRICT, WITHOUT ROWID;

        DROP VIEW job_overview;
        CREATE VIEW job_overview AS                 -- for people
        SELECT jobs.id,
               CASE WHEN state <> 'queued' THEN state
                    WHEN waits_for > 0 THEN 'blocked'
                    WHEN ready_at <= (julianday('now') - 2440587.5) * 86400000 THEN state
                    WHEN failures > 0 THEN 'retrying'
                    ELSE 'scheduled'
               END AS state,
               kind, queue, priority, name, key, jobs.attempt,
               strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') AS created_at,
               strftime('%Y-%m-%dT%H:%M:%fZ', ready_at / 1000.0, 'unixepoch') AS ready_at,
               strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1000.0, 'unixepoch') AS started_at,
               strftime('%Y-%m-%dT%H:%M:%fZ', finished_at / 1000.0, 'unixepoch') AS finished_at,
               results.total_bytes AS result_bytes, failures.code AS error,
               failures.message AS message, parent_id, jobs.body
          FROM jobs
          LEFT JOIN results ON results.job_id = jobs.id
          LEFT JOIN failures ON failures.job_id = jobs.id
         WHERE NOT EXISTS (
               SELECT 1 FROM spool_files
                WHERE spool_files.id = jobs.file_id
                  AND (phase = 'loading' OR phase = 'removing'));
        """
}
