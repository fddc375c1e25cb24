internal import JobCore
internal import Logging

/// What people are told of a start.
extension Logger {
    func tell(of recovery: Recovery) {
        notice(
            "Run \(recovery.run.rawValue) begins.",
            metadata: [
                "lost": "\(recovery.lost.count)", "poisoned": "\(recovery.poisoned.count)",
            ]
        )
        for file in recovery.stages.damaged {
            error(
                """
                The store does not know any more how far file \(file.rawValue) is: its jobs that \
                were not ready stay as they are. Ask `millrace doctor`, and restore a backup.
                """
            )
        }
    }
}
