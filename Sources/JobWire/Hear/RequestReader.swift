internal import JobCore

/// Reads one request, service by service.
struct RequestReader {
    private let service: String
    private let form: AnswerForm
    private let body: [UInt8]
    private let frames: [[UInt8]]
    private let catalog: Catalog
    private let role: Role

    init(_ envelope: Envelope, _ catalog: Catalog) {
        service = String(decoding: envelope.service, as: UTF8.self)
        form = AnswerForm(of: envelope.service)
        body = envelope.body.first ?? []
        frames = Array(envelope.body.dropFirst())
        self.catalog = catalog
        role = envelope.peer.role
    }

    /// - Returns: The request, and the caller's own name for it.
    func request() throws(Refusal) -> (Request, name: String?) {
        guard let service = Service(rawValue: service) else { return (try call(), nil) }
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
            return (try isServed(String(decoding: body, as: UTF8.self)), nil)
        case .titanicRequest: return (.titanicRequest(try titanicJob()), nil)
        case .titanicReply: return (.titanicReply(try titanicReplyID()), nil)
        case .titanicClose:
            try checkNoFrames()
            return (.titanicClose(TitanicID(body)), nil)
        default:
            try checkNoFrames()
            let arguments = try Arguments(body, catalog.limits)
            return (try request(service, arguments), try arguments.requestName())
        }
    }

    private func checkNoFrames() throws(Refusal) {
        guard frames.isEmpty else {
            throw Refusal(422, "unused_frame", "\(service) takes no binary frames.")
        }
    }

    /// The caller's own name for a request that is refused, wherever in the body it stands; nil
    /// where it cannot be found, or nobody would have said it in JSON.
    func requestName() -> String? {
        guard body.count <= catalog.limits.messageBytes, form == .ours || isUnknown,
            var cursor = try? Cursor(body, in: nil), (try? cursor.enterObject("")) != nil
        else { return nil }
        while let key = try? cursor.nextMember() {
            if key == "request" { return try? cursor.value().text("request") }
            guard (try? cursor.skipValue()) != nil else { return nil }
        }
        return nil
    }

    private var isUnknown: Bool { form == .call && !catalog.kernels.contains(service) }

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
        case .submit, .isServed, .titanicRequest, .titanicReply, .titanicClose:
            preconditionFailure("read by others")
        }
    }

    // MARK: Majordomo and Titanic

    private func isServed(_ name: String) throws(Refusal) -> Request {
        if catalog.externalKernels.contains(name) { return .isAttached(kernel: name) }
        if Service(rawValue: name) != nil || catalog.kernels.contains(name) {
            return .isServed(true)
        }
        if AnswerForm(of: Array(name.utf8)) == .management { throw .unbuilt(name) }
        return .isServed(false)
    }

    /// A service that is none of the protocol's may be the name of a kernel.
    private func call() throws(Refusal) -> Request {
        guard catalog.kernels.contains(service) else { throw unserved }
        guard role >= .submit else { throw .forbidden(service, role, needs: .submit) }
        let reader = CallReader(kernel: service, frames: [body] + frames, catalog)
        return .call(reader.submission(catalog.limits), reader.digest)
    }

    /// The kernel's name comes first, then its frames. The token is drawn here, for what decides
    /// draws nothing.
    private func titanicJob() throws(Refusal) -> Submission {
        let kernel = String(decoding: body, as: UTF8.self)
        guard catalog.kernels.contains(kernel) else {
            throw Refusal(
                404,
                "unknown_service",
                "There is no kernel \(quoted(kernel)).",
                hint: hint(for: kernel, among: catalog.kernels)
            )
        }
        let reader = CallReader(kernel: kernel, frames: frames, catalog)
        var job = reader.submission(catalog.limits)
        job.spec.salt = .random(in: .min ... .max)
        return job
    }

    private func titanicReplyID() throws(Refusal) -> TitanicID {
        try checkNoFrames()
        guard let id = TitanicID(body) else {
            throw Refusal(
                404,
                "unknown_job",
                "This is no id that titanic.request has given.",
                hint: "Ids have 32 hexadecimal digits."
            )
        }
        return id
    }

    private var unserved: Refusal {
        if form == .management { return .unbuilt(service) }
        let names = Service.allCases.map(\.rawValue) + catalog.kernels
        return Refusal(
            404,
            "unknown_service",
            "There is no service \(quoted(service)).",
            hint: hint(for: service, among: names)
        )
    }
}

extension Refusal {
    /// Of a management service (RFC 8/MMI).
    fileprivate static func unbuilt(_ name: String) -> Refusal {
        .notImplemented(nil, "The service \(quoted(name)) is not built.")
    }
}
