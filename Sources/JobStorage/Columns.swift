/// Lists of columns that several statements share, in the order in which they are read.
enum Columns {
    /// The changing part of a job, and what decides how it changes.
    static let job = """
        id, state, attempt, failures, losses, ready_at, waits_for, is_split, cancel_requested,
        writes IS NOT NULL, max_attempts, first_ms, longest_ms
        """

    /// What is kept of a job that waits for a worker.
    static let waiting = """
        id, attempt, ready_at, losses, is_split, dependencies, kind, queue, priority, timeout_ms,
        max_attempts, first_ms, longest_ms, parts, writes, turns, salt, sort, name, tags,
        keep_ms, checksum, frames, body
        """

    static let details = """
        kind, queue, parent_id, owner, \(job), priority, timeout_ms, name, key, tags, created_at,
        started_at, finished_at, worker, writes, turns, on_failure, dependencies
        """

    static let stage = "id, first_id, jobs, digest, phase, staged, released, open_jobs, bytes"

    static let failure = "code, message, hint, sqlite_code, offset, is_permanent"
}
