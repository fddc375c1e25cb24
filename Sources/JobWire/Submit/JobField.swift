internal import JobCore

/// The fields of a job, as clients name them.
enum JobField: String, CaseIterable {
    case kind, sql, params, each, database, mode, format
    case kernel, input, parts
    case command, env
    case queue, priority
    case readyAt = "ready_at"
    case delayMs = "delay_ms"
    case timeoutMs = "timeout_ms"
    case maxAttempts = "max_attempts"
    case backoff, key, name, tags
    case keepMs = "keep_ms"
    case after
    case onFailure = "on_failure"
    case dryRun = "dry_run"

    /// Part of the protocol, and refused by name until it is built.
    var isPlanned: Bool {
        switch self {
        case .dryRun: true
        default: false
        }
    }

    /// The kinds of jobs that a field of the work belongs to; none for what every job may have.
    var kinds: [Spec.Kind] {
        switch self {
        case .sql, .params, .each, .database, .mode, .format: [.sql]
        case .kernel, .parts: [.compute]
        case .input: [.compute, .command]
        case .command, .env: [.command]
        default: []
        }
    }

    static let known = allCases.filter { !$0.isPlanned }.map(\.rawValue)
}
