internal import JobCore

/// Reads one request, service by service.
struct RequestReader {
    private let service: String
    private let body: [UInt8]
    private let frames: [[UInt8]]
    private let catalog: Catalog
    private let role: Role

    init(_ envelope: Envelope, _ catalog: Catalog) {
        service = String(decoding: envelope.service, as: UTF8.self)
        body = envelope.body.first ?? []
        frames = Array(envelope.body.dropFirst())
        self.catalog = catalog
        role = envelope.peer.role
    }

    /// - Returns: The request, and the caller's own name for it.
    func request() throws(Refusal) -> (Request, name: String?) {
        guard let service = Service(rawValue: service) else { throw unserved(service) }
        try service.check(role)
        switch service {
        case .submit:
            let found = try JobReader(catalog).submission(body, frames: frames)
            let request = Request.submit(
                found.jobs,
                isBatch: found.isBatch,
                waitMs: found.waitMs
            )
            return (request, found.request)
        case .isServed:
            return (.isServed(try isServed(String(decoding: body, as: UTF8.self))), nil)
        default:
            guard frames.isEmpty else {
                throw Refusal(422, "unused_frame", "\(service.rawValue) takes no binary frames.")
            }
            let arguments = try Arguments(body, catalog.limits)
            return (try request(service, arguments), try arguments.requestName())
        }
    }

    /// The caller's own name for a request that is refused, wherever in the body it stands; nil
    /// where it cannot be found.
    func requestName() -> String? {
        guard body.count <= catalog.limits.messageBytes, service != Service.isServed.rawValue,
            var cursor = try? Cursor(body, in: nil), (try? cursor.enterObject("")) != nil
        else { return nil }
        while let key = try? cursor.nextMember() {
            if key == "request" { return try? cursor.value().text("request") }
            guard (try? cursor.skipValue()) != nil else { return nil }
        }
        return nil
    }

    private func request(_ service: Service, _ arguments: Arguments) throws(Refusal) -> Request {
        switch service {
        case .show:
            let (ids, isBatch) = try arguments.ids()
            return .show(ids, isBatch: isBatch)
        case .result:
            let waitMs = try arguments.waitMs()
            return .result(try arguments.id(), range: try arguments.range(), waitMs: waitMs)
        case .wait: return .wait(try arguments.ids().ids, waitMs: try arguments.waitMs() ?? 0)
        case .list:
            return .list(
                try arguments.filter(),
                after: try arguments.after(),
                limit: try arguments.pageLimit()
            )
        case .cancel: return .cancel(try arguments.selection())
        case .retry: return .retry(try arguments.selection())
        case .delete: return .delete(try arguments.selection())
        case .listQueues: return .listQueues(try arguments.queue())
        case .pauseQueue: return .pauseQueue(try arguments.queue())
        case .resumeQueue: return .resumeQueue(try arguments.queue())
        case .ping: return .ping
        case .about: return .about
        case .statistics: return .statistics
        case .drain: return .drain
        case .submit, .isServed: preconditionFailure("read by others")
        }
    }

    private func isServed(_ name: String) throws(Refusal) -> Bool {
        if Service(rawValue: name) != nil { return true }
        if let refusal = planned(name) { throw refusal }
        return false
    }

    /// The refusal of a service that is known and not built; nil when it is not known.
    private func planned(_ name: String) -> Refusal? {
        if catalog.kernels.contains(name) {
            var refusal = Refusal.notImplemented(nil, "Direct calls of kernels are not built yet.")
            refusal.hint = "Submit a job with \"kernel\": \(quoted(name)) to job.submit."
            return refusal
        }
        if plannedServices.contains(name) || name.hasPrefix("mmi.") {
            return .notImplemented(nil, "The service \(quoted(name)) is not built.")
        }
        return nil
    }

    private func unserved(_ name: String) -> Refusal {
        planned(name)
            ?? Refusal(
                404,
                "unknown_service",
                "There is no service \(quoted(name)).",
                hint: hint(for: name, among: Service.allCases.map(\.rawValue))
            )
    }
}
