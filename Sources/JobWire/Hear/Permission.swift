internal import JobCore

/// Who may ask for what.
extension Service {
    /// The least role that may ask for it. Cancel, retry and delete take one's own jobs only,
    /// unless one may do everything.
    var leastRole: Role {
        switch self {
        case .show, .result, .wait, .list, .listQueues, .ping, .about, .statistics, .isServed,
            .titanicReply:
            .read
        case .submit, .cancel, .retry, .delete, .titanicRequest, .titanicClose: .submit
        case .pauseQueue, .resumeQueue, .drain: .admin
        }
    }

    func check(_ role: Role) throws(Refusal) {
        guard role >= leastRole else { throw .forbidden(rawValue, role, needs: leastRole) }
    }
}

extension Refusal {
    /// `service` is a name of ours.
    static func forbidden(_ service: String, _ role: Role, needs least: Role) -> Refusal {
        Refusal(
            403,
            "forbidden",
            "\(service) needs the role \(least.rawValue), and this key has \(role.rawValue).",
            hint: "Use another key, or ask who runs the runner for that role."
        )
    }
}
