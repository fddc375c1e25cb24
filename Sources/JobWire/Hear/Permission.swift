internal import JobCore

/// Who may ask for what.
extension Service {
    /// The least role that may ask for it. Cancel, retry and delete take one's own jobs only,
    /// unless one may do everything.
    var leastRole: Role {
        switch self {
        case .show, .result, .wait, .list, .listQueues, .ping, .about, .statistics, .isServed: .read
        case .submit, .cancel, .retry, .delete: .submit
        case .pauseQueue, .resumeQueue, .drain: .admin
        }
    }

    func check(_ role: Role) throws(Refusal) {
        guard role < leastRole else { return }
        throw Refusal(
            403,
            "forbidden",
            "\(rawValue) needs the role \(leastRole.rawValue), and this key has \(role.rawValue).",
            hint: "Use another key, or ask who runs the runner for that role."
        )
    }
}
