-- A store as version 5 of the schema wrote it, with jobs in every state.
PRAGMA application_id = 1296649292;
PRAGMA user_version = 5;
BEGIN TRANSACTION;
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
INSERT INTO "attempts" VALUES(3,1,1,1795272554954,1795272554955,'sql_error','The SQL failed: no such table: nowhere.',NULL,1,NULL,1);
CREATE TABLE dependencies (
    job_id    INTEGER NOT NULL,
    place     INTEGER NOT NULL,             -- from 1, in the order of the submission
    after_id  INTEGER NOT NULL,             -- the job that it comes after
    name      TEXT,                         -- by which the job's work calls that one
    is_source INTEGER NOT NULL CHECK (is_source IN (0, 1)),  -- the work takes its result
    is_open   INTEGER NOT NULL CHECK (is_open IN (0, 1)),    -- the job waits for it
    PRIMARY KEY (job_id, place)
) STRICT, WITHOUT ROWID;
INSERT INTO "dependencies" VALUES(11,1,4,NULL,0,0);
CREATE TABLE failures (                     -- why a job is 'failed'
            job_id       INTEGER PRIMARY KEY,
            code         TEXT    NOT NULL,
            message      TEXT    NOT NULL,
            hint         TEXT,
            sqlite_code  INTEGER,
            offset       INTEGER,
            is_permanent INTEGER NOT NULL CHECK (is_permanent IN (0, 1))
        ) STRICT;
INSERT INTO "failures" VALUES(3,'sql_error','The SQL failed: no such table: nowhere.',NULL,1,NULL,1);
CREATE TABLE identity (                     -- one row
            id        INTEGER PRIMARY KEY CHECK (id = 1),
            store_id  TEXT    NOT NULL,             -- random, new for each life of a store
            is_backup INTEGER NOT NULL DEFAULT 0 CHECK (is_backup IN (0, 1))
        ) STRICT;
INSERT INTO "identity" VALUES(1,'0f92e487536d7ba2a892993e40400113',0);
CREATE TABLE inputs (
            job_id INTEGER NOT NULL,
            number INTEGER NOT NULL,                -- as the body refers to it
            bytes  BLOB    NOT NULL,
            PRIMARY KEY (job_id, number)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "inputs" VALUES(2,2,X'010203');
INSERT INTO "inputs" VALUES(9,2,X'616263');
INSERT INTO "inputs" VALUES(11,2,X'616263');
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
            body             TEXT    NOT NULL, owner TEXT NOT NULL DEFAULT '', salt INTEGER, checksum INTEGER, turns TEXT NOT NULL DEFAULT '', dependencies INTEGER NOT NULL DEFAULT 0, on_failure TEXT NOT NULL DEFAULT 'fail',      -- the work, in JSON
            CHECK (state <> 'running' OR (attempt > 0 AND started_at IS NOT NULL)),
            CHECK (state = 'queued' OR waits_for = 0),
            CHECK (state = 'running' OR cancel_requested = 0),
            CHECK ((state IN ('queued', 'running')) = (finished_at IS NULL)),
            CHECK ((parent_id IS NULL) = (part IS NULL))
        ) STRICT;
INSERT INTO "jobs" VALUES(1,'succeeded',1,0,0,1795272554913,0,0,0,1795272554913,1795272554919,1795272554926,1,'sql','default',0,3600000,3,1000,600000,1,NULL,8488727606010133603,'answer','a
b c',NULL,'k1',7882414844529297061,NULL,NULL,NULL,0,'{"sql":"select 6*7 as answer","mode":"read","format":"json"}','',NULL,NULL,'',0,'fail');
INSERT INTO "jobs" VALUES(2,'succeeded',1,0,0,1795272554940,0,0,0,1795272554940,1795272554943,1795272554944,1,'compute','default',0,3600000,3,1000,600000,1,NULL,1558793623728883008,NULL,NULL,NULL,NULL,430140607694411789,NULL,NULL,NULL,1,'{"kernel":"digest","input":{"bytes": {"$frame": 2}}}','',NULL,NULL,'',0,'fail');
INSERT INTO "jobs" VALUES(3,'failed',1,1,0,1795272554948,0,0,0,1795272554948,1795272554954,1795272554955,1,'sql','late',0,3600000,3,1000,600000,1,NULL,-31942899661173240,NULL,NULL,NULL,NULL,2422791618779366408,NULL,NULL,NULL,0,'{"sql":"select * from nowhere","mode":"read","format":"json"}','',NULL,NULL,'',0,'fail');
INSERT INTO "jobs" VALUES(4,'succeeded',2,0,0,1795272554956,0,1,0,1795272554956,1795272554959,1795272554959,1,'compute','default',0,3600000,3,1000,600000,2,NULL,4273807281913919332,NULL,NULL,NULL,NULL,-3625812179529084815,NULL,NULL,NULL,0,'{"kernel":"primes","input":{"below": 1000},"parts":2}','',NULL,NULL,'',0,'fail');
INSERT INTO "jobs" VALUES(5,'succeeded',1,0,0,1795272554957,0,0,0,1795272554957,1795272554958,1795272554958,1,'compute','default',0,3600000,3,1000,600000,1,NULL,4273807281913919332,NULL,NULL,NULL,NULL,0,4,1,NULL,0,'{"kernel":"primes","input":{"from":0,"below":500}}','',NULL,NULL,'',0,'fail');
INSERT INTO "jobs" VALUES(6,'succeeded',1,0,0,1795272554957,0,0,0,1795272554957,1795272554958,1795272554958,2,'compute','default',0,3600000,3,1000,600000,1,NULL,4273807281913919332,NULL,NULL,NULL,NULL,0,4,2,NULL,0,'{"kernel":"primes","input":{"from":500,"below":1000}}','',NULL,NULL,'',0,'fail');
INSERT INTO "jobs" VALUES(7,'cancelled',1,0,0,1795272554960,0,0,0,1795272554960,1795272554961,1795272554961,NULL,'compute','default',0,3600000,3,1000,600000,1,NULL,528746500966826695,NULL,NULL,NULL,NULL,-8177494734238802791,NULL,NULL,NULL,0,'{"kernel":"sleep","input":{"ms": 600000}}','',NULL,NULL,'',0,'fail');
INSERT INTO "jobs" VALUES(8,'queued',0,0,0,1826272554961,0,0,0,1795272554961,NULL,NULL,NULL,'compute','default',0,3600000,3,1000,600000,1,NULL,3252737990340507547,NULL,NULL,5,NULL,2055991618257028236,NULL,NULL,NULL,0,'{"kernel":"echo","input":"later"}','',NULL,-633316865478832315,'',0,'fail');
INSERT INTO "jobs" VALUES(9,'succeeded',1,0,0,1795272554963,0,0,0,1795272554962,1795272554963,1795272554963,1,'compute','default',5,3600000,3,1000,600000,1,NULL,1558793623728883008,NULL,NULL,NULL,NULL,-5175119157378339728,NULL,NULL,NULL,1,'{"kernel":"digest","input":{"bytes": {"$frame": 2}}}','',NULL,NULL,'',0,'fail');
INSERT INTO "jobs" VALUES(10,'queued',0,0,0,1795272554965,0,0,0,1795272554965,NULL,NULL,NULL,'sql','late',0,3600000,3,1000,600000,1,NULL,-7357514773808784325,NULL,NULL,NULL,'k2',-1239091556590733705,NULL,NULL,NULL,0,'{"sql":"select 1 as one","mode":"read","format":"json"}','',NULL,-7946622739585575054,'',0,'fail');
INSERT INTO "jobs" VALUES(11,'queued',0,0,0,1795272554965,0,0,0,1795272554965,NULL,NULL,NULL,'compute','late',0,3600000,3,1000,600000,1,NULL,1558793623728883008,NULL,NULL,NULL,NULL,-3896301661657732614,NULL,NULL,NULL,1,'{"kernel":"digest","input":{"bytes": {"$frame": 2}}}','',NULL,1267813082954536312,'',1,'run');
INSERT INTO "jobs" VALUES(12,'running',1,0,0,1795272554966,0,0,0,1795272554966,1795272554966,NULL,1,'compute','default',0,3600000,3,1000,600000,1,NULL,528746500966826695,NULL,NULL,NULL,NULL,6760062057496441663,NULL,NULL,NULL,0,'{"kernel":"sleep","input":{"ms": 60000}}','',NULL,NULL,'',0,'fail');
CREATE TABLE marks (                        -- one row: ids that are taken
            id             INTEGER PRIMARY KEY CHECK (id = 1),
            highest_id     INTEGER NOT NULL,        -- of all jobs there ever were
            reserved_up_to INTEGER NOT NULL CHECK (reserved_up_to >= 0)
        , open_parts INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "marks" VALUES(1,12,100000,0);
CREATE TABLE queues (                       -- with the jobs in each state, children apart
            name      TEXT    PRIMARY KEY,
            is_paused INTEGER NOT NULL DEFAULT 0 CHECK (is_paused IN (0, 1)),
            queued    INTEGER NOT NULL DEFAULT 0 CHECK (queued >= 0),
            running   INTEGER NOT NULL DEFAULT 0 CHECK (running >= 0),
            succeeded INTEGER NOT NULL DEFAULT 0 CHECK (succeeded >= 0),
            failed    INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
            cancelled INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "queues" VALUES('default',0,1,1,4,0,1);
INSERT INTO "queues" VALUES('late',1,2,0,0,1,0);
CREATE TABLE result_parts (
            job_id  INTEGER NOT NULL,
            attempt INTEGER NOT NULL,
            part    INTEGER NOT NULL,               -- from 0; all but the last are 1 MiB
            body    BLOB    NOT NULL, checksum INTEGER,
            PRIMARY KEY (job_id, attempt, part)
        ) STRICT, WITHOUT ROWID;
CREATE TABLE results (
            job_id      INTEGER PRIMARY KEY,
            attempt     INTEGER NOT NULL,
            format      TEXT    NOT NULL,
            rows        INTEGER,
            total_bytes INTEGER NOT NULL,
            duration_us INTEGER NOT NULL,
            body        BLOB, checksum INTEGER,                       -- NULL when it lies in result_parts
            CHECK (body IS NULL OR length(body) = total_bytes)
        ) STRICT;
INSERT INTO "results" VALUES(1,1,'json',1,48,6728,X'7B22636F6C756D6E73223A5B22616E73776572225D2C22726F7773223A5B5B34325D5D2C226368616E676573223A307D',NULL);
INSERT INTO "results" VALUES(2,1,'json',NULL,77,1085,X'7B22736861323536223A2230333930353863366632633063623439326335333362306134643134656637376363306637386162636363656435323837643834613161323031316366623831227D',NULL);
INSERT INTO "results" VALUES(4,2,'json',NULL,27,68,X'7B22636F756E74223A3136382C226C617267657374223A3939377D',NULL);
INSERT INTO "results" VALUES(5,1,'json',NULL,26,108,X'7B22636F756E74223A39352C226C617267657374223A3439397D',NULL);
INSERT INTO "results" VALUES(6,1,'json',NULL,26,74,X'7B22636F756E74223A37332C226C617267657374223A3939377D',NULL);
INSERT INTO "results" VALUES(9,1,'json',NULL,77,81,X'7B22736861323536223A2262613738313662663866303163666561343134313430646535646165323232336230303336316133393631373761396362343130666636316632303031356164227D',NULL);
CREATE TABLE runs (                         -- starts of the runner
            id         INTEGER PRIMARY KEY,
            started_at INTEGER NOT NULL,
            stopped_at INTEGER                      -- NULL when it did not end by itself
        ) STRICT;
INSERT INTO "runs" VALUES(1,1795272552973,NULL);
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
CREATE INDEX jobs_rare ON jobs (state, id)
            WHERE state <> 'queued' AND state <> 'succeeded';
CREATE INDEX jobs_children ON jobs (parent_id, part) WHERE parent_id IS NOT NULL;
CREATE INDEX spool_files_ended ON spool_files (id) WHERE is_closed = 0 AND open_jobs = 0;
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
CREATE UNIQUE INDEX jobs_key ON jobs (owner, key) WHERE key IS NOT NULL;
CREATE INDEX jobs_ready ON jobs (queue, turns, priority DESC, ready_at)  -- and the id
    WHERE state = 'queued' AND waits_for = 0;
CREATE INDEX jobs_scheduled ON jobs (ready_at)
    WHERE state = 'queued' AND waits_for = 0 AND (ready_at > created_at OR attempt > 0);
CREATE INDEX dependencies_after ON dependencies (after_id);
COMMIT;
