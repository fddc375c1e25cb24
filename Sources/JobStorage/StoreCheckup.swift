internal import JobCore
internal import SQLite

/// Looks through a store for what does not fit together, and changes nothing.
public struct StoreCheckup {
    public struct Finding: Equatable, Sendable {
        /// What was looked at, in a word or two.
        public let subject: String
        /// What is wrong, one sentence each; empty when all is well.
        public let faults: [String]
        /// Why it was not looked at, in a sentence; nil when it was.
        public var excuse: String?
    }

    /// Faults of one kind that are told.
    private static let mostFaults = 20
    /// How long the sums are looked at in one transaction: meanwhile a runner's log cannot be
    /// emptied.
    private static let sumsTogether = Duration.milliseconds(500)

    private let path: String
    private let connection: Connection

    public init(path: String) throws(StoreError) {
        self.path = path
        connection = try StoreFile.openForReading(path: path)
    }

    /// - Parameter whole: Whether to look at indices, and at the sums of all work and results, too.
    /// - Returns: One finding for each subject.
    public func findings(whole: Bool) -> [Finding] {
        var found = [
            look(at: "pages") { () throws(SQLiteError) in
                try StoreFile.faults(in: connection, reach: whole ? .whole : .quick)
            }
        ]
        let strays = isOlder ? [] : Self.strayDependencies + [Self.lostFiles, Self.strayCounters]
        found.append(look(at: "rows", by: Self.strays + strays))
        let counters =
            isOlder
            ? [Self.counters(where: "parent_id IS NULL"), Self.openOfFiles]
            : [Self.counters(where: Self.isSeen), Self.openOfFiles] + Self.newCounters
        found.append(look(at: "counters", by: counters))
        if whole { found.append(isOlder ? Self.noSums : look(at: "sums", sums)) }
        return found
    }

    /// Rows of an older version lack columns that are read with them.
    private var isOlder: Bool {
        guard case .integer(let version)? = try? connection.row("PRAGMA user_version")?.first else {
            return false
        }
        return version < Schema.steps.count
    }

    private static let noSums = Finding(
        subject: "sums",
        faults: [],
        excuse: "Not looked at: the store is of an older version, until the next start."
    )

    private func look(
        at subject: String,
        _ body: () throws(SQLiteError) -> [String]
    ) -> Finding {
        do throws(SQLiteError) {
            return Finding(subject: subject, faults: Array(try body().prefix(Self.mostFaults)))
        } catch {
            return Finding(subject: subject, faults: [StoreError(error, path: path).summary])
        }
    }

    /// Each query gives what is wrong, in words.
    private func look(at subject: String, by queries: [String]) -> Finding {
        look(at: subject) { () throws(SQLiteError) in
            var faults: [String] = []
            for query in queries {
                faults += try connection.prepare("\(query) LIMIT \(Self.mostFaults)").all {
                    $0.text(0)
                }
            }
            return faults
        }
    }

    // MARK: - What belongs together

    private static let strays =
        ["results", "result_parts", "attempts", "failures", "inputs"].map { table in
            """
            SELECT DISTINCT '\(table) has rows of job ' || job_id || ', which is not there'
              FROM \(table)
             WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = \(table).job_id)
            """
        } + [
            """
            SELECT 'job ' || id || ' is a part of job ' || parent_id || ', which is not there'
              FROM jobs AS part
             WHERE parent_id IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = part.parent_id)
            """,
            """
            SELECT 'job ' || id || ' succeeded and has no result' FROM jobs
             WHERE state = 'succeeded'
               AND NOT EXISTS (SELECT 1 FROM results WHERE results.job_id = jobs.id)
            """,
            """
            SELECT 'job ' || id || ' failed and nobody knows why' FROM jobs
             WHERE state = 'failed'
               AND NOT EXISTS (SELECT 1 FROM failures WHERE failures.job_id = jobs.id)
            """,
            """
            SELECT 'the id ' || max(jobs.id) || ' was given away, and ' || highest_id
                   || ' is said to be the last'
              FROM jobs, marks
             HAVING max(jobs.id) > highest_id
            """,
        ]

    /// Jobs of a file that is not written to its end do not count.
    private static let isSeen = """
        parent_id IS NULL AND ifnull(file_id IN (
            SELECT id FROM spool_files WHERE phase = 'loading' OR phase = 'removing'), 0) = 0
        """

    private static func counters(where counts: String) -> String {
        """
        WITH kept (name, state, jobs) AS (
            SELECT name, 'queued', queued FROM queues
             UNION ALL SELECT name, 'running', running FROM queues
             UNION ALL SELECT name, 'succeeded', succeeded FROM queues
             UNION ALL SELECT name, 'failed', failed FROM queues
             UNION ALL SELECT name, 'cancelled', cancelled FROM queues
        ), counted (name, state, jobs) AS (
            SELECT queue, state, count(*) FROM jobs WHERE \(counts) GROUP BY queue, state
        ), both (name, state, kept, counted) AS (
            SELECT kept.name, kept.state, kept.jobs, ifnull(counted.jobs, 0)
              FROM kept LEFT JOIN counted USING (name, state)
             UNION ALL
            SELECT counted.name, counted.state, 0, counted.jobs FROM counted
             WHERE NOT EXISTS (SELECT 1 FROM queues WHERE queues.name = counted.name)
        )
        SELECT 'queue ' || name || ' has ' || counted || ' jobs ' || state || ', and its counter '
               || 'says ' || kept
          FROM both
         WHERE kept <> counted
        """
    }

    private static let openParts = """
        SELECT found || ' parts have not ended, and their counter says ' || open_parts
          FROM marks
          JOIN (SELECT count(*) AS found FROM jobs
                 WHERE parent_id IS NOT NULL AND (state = 'queued' OR state = 'running'))
         WHERE open_parts <> found
        """

    /// Of what older versions did not have.
    private static let newCounters = [openParts, openDependencies, unseenJobs]

    private static let openDependencies = """
        SELECT 'job ' || id || ' waits for ' || found || ' other jobs, and its counter says '
               || waits_for
          FROM (SELECT id, waits_for,
                       (SELECT count(*) FROM dependencies
                         WHERE job_id = jobs.id AND is_open = 1) AS found,
                       (SELECT count(*) FROM spool_files
                         WHERE spool_files.id = jobs.file_id AND phase <> 'loaded'
                           AND jobs.id >= first_id + released) AS of_file
                  FROM jobs
                 WHERE state = 'queued' AND is_split = 0)
         WHERE waits_for <> found AND NOT (waits_for = 1 AND of_file = 1)
        """

    private static let strayDependencies = [
        """
        SELECT DISTINCT 'dependencies has rows of job ' || job_id || ', which is not there'
          FROM dependencies
         WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = job_id)
        """,
        """
        SELECT 'job ' || job_id || ' waits for job ' || after_id || ', which '
               || CASE WHEN other.id IS NULL THEN 'is not there' ELSE 'has ended' END
          FROM dependencies
          JOIN jobs ON jobs.id = job_id
          LEFT JOIN jobs AS other ON other.id = after_id
         WHERE is_open = 1 AND jobs.state = 'queued'
           AND (other.id IS NULL OR (other.state <> 'queued' AND other.state <> 'running'))
        """,
    ]

    /// As `Stage` reads them.
    private static let lostFiles = """
        SELECT 'file ' || spool_files.id || ' is said to be ' || phase || ', with ' || staged
               || ' of its ' || jobs || ' jobs written and ' || released || ' ready: that cannot be'
          FROM spool_files, marks
         WHERE phase <> 'loaded'
           AND NOT (first_id >= 1 AND jobs >= 1 AND first_id <= highest_id - jobs + 1
                    AND CASE phase WHEN 'opening' THEN staged = jobs AND released >= 0
                                                       AND released < jobs
                             WHEN 'loading' THEN staged >= 0 AND staged < jobs AND released = 0
                             WHEN 'removing' THEN staged >= 0 AND staged < jobs AND released = 0
                             ELSE 0 END)
        """

    private static let strayCounters = """
        SELECT DISTINCT 'staged_queues has rows of file ' || file_id
               || ', which is not being stored'
          FROM staged_queues
         WHERE NOT EXISTS (
               SELECT 1 FROM spool_files
                WHERE spool_files.id = file_id AND (phase = 'loading' OR phase = 'removing'))
        """

    /// Of a file that is being removed they are those of its beginning.
    private static let unseenJobs = """
        SELECT 'file ' || file || ' has ' || counted || ' unseen jobs in queue ' || queue
               || ', and their counter says ' || kept
          FROM (SELECT file, queue, sum(kept) AS kept, sum(counted) AS counted
                  FROM (SELECT file_id AS file, queue, staged_queues.jobs AS kept, 0 AS counted
                          FROM staged_queues JOIN spool_files ON spool_files.id = file_id
                         WHERE phase = 'loading'
                         UNION ALL
                        SELECT spool_files.id, queue, 0, 1
                          FROM spool_files
                          JOIN jobs ON file_id = spool_files.id
                           AND jobs.id BETWEEN first_id AND first_id + spool_files.jobs - 1
                         WHERE phase = 'loading')
                 GROUP BY file, queue)
         WHERE kept <> counted
        """

    private static let openOfFiles = """
        SELECT 'file ' || spool_files.id || ' has ' || ifnull(found, 0) || ' open jobs, and its '
               || 'counter says ' || open_jobs
          FROM spool_files
          LEFT JOIN (SELECT file_id, count(*) AS found FROM jobs
                      WHERE file_id IS NOT NULL AND (state = 'queued' OR state = 'running')
                      GROUP BY file_id) ON file_id = spool_files.id
         WHERE open_jobs <> ifnull(found, 0)
        """

    /// The work of each job that has not ended, and each result, is read as a runner reads it.
    private func sums() throws(SQLiteError) -> [String] {
        var limits = Limits()
        limits.replyBytes = 1_000_000_000
        let reader = try StoreReader(on: connection, path: path, limits: limits)
        var faults: [String] = []
        var last: Int64? = .min
        while let id = last {
            last = try connection.transaction(to: .read) { () throws(SQLiteError) in
                try addSums(after: id, by: reader, to: &faults)
            }
        }
        return faults
    }

    /// - Returns: The last job that was looked at; nil when there is nothing more to look for.
    private func addSums(
        after id: Int64,
        by reader: StoreReader,
        to faults: inout [String]
    ) throws(SQLiteError) -> Int64? {
        let end = ContinuousClock.now + Self.sumsTogether
        let jobs = try connection.prepare("SELECT id, state FROM jobs WHERE id > ? ORDER BY id")
        try jobs.bind(integer: id, at: 1)
        defer { jobs.reset() }
        while faults.count < Self.mostFaults, try jobs.step() {
            let id = JobID(rawValue: jobs.integer(0))
            do throws(SQLiteError) {
                switch jobs.text(1) {
                case "succeeded": _ = try reader.result(id, .whole)
                case "queued", "running": _ = try reader.whole(id)
                default: continue
                }
            } catch {
                faults.append(error.message)
            }
            if ContinuousClock.now >= end { return id.rawValue }
        }
        return nil
    }
}
