/// Reads what strace wrote, and finds acknowledgements that left too early: before a sync of the
/// write-ahead log that began after the request had arrived was over.
struct SyncTrace {
    /// Lines of acknowledgements that were not covered by a sync.
    private(set) var early: [String] = []
    private(set) var acknowledgements = 0

    /// Where the trace stands between a request's arrival and its acknowledgement.
    private enum Stage { case idle, arrived, synced }

    private var stage = Stage.idle
    /// Threads whose sync of the log began after the request's arrival and is not over.
    private var syncing: Set<Substring> = []

    /// One line of `strace -f -yy`: the thread, then the call; calls that others interrupt in the
    /// trace are written in two halves.
    mutating func read(_ line: String) {
        let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2 else { return }
        let thread = parts[0]
        let call = parts[1].drop { $0 == " " }
        if isReceive(call), call.contains("job.submit") {
            stage = .arrived
            syncing = []
        } else if call.hasPrefix("fdatasync("), call.contains("-wal") {
            if call.contains("unfinished") {
                if stage == .arrived { syncing.insert(thread) }
            } else if stage == .arrived, call.hasSuffix("= 0") {
                stage = .synced
            }
        } else if call.hasPrefix("<... fdatasync resumed"), call.hasSuffix("= 0") {
            if syncing.remove(thread) != nil { stage = .synced }
        } else if isSend(call), call.contains("job.submit"), call.contains("200") {
            acknowledgements += 1
            if stage != .synced { early.append(line) }
            stage = .idle
        }
    }

    private func isReceive(_ call: Substring) -> Bool {
        ["recvfrom(", "recvmsg(", "read("].contains {
            call.hasPrefix($0) && !call.contains("unfinished")
        }
            || ["<... recvfrom", "<... recvmsg", "<... read"].contains { call.hasPrefix($0) }
    }

    /// The first half counts: that is when the bytes may leave.
    private func isSend(_ call: Substring) -> Bool {
        ["sendto(", "sendmsg(", "write(", "writev("].contains { call.hasPrefix($0) }
    }
}
