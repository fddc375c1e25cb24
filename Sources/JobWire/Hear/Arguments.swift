internal import JobCore

/// The arguments of every service but `job.submit`: a small JSON object, which may be left out
/// where nothing has to be said. Members that no service knows are ignored.
struct Arguments {
    private let object: JSONObject
    private let limits: Limits

    init(_ body: [UInt8], _ limits: Limits) throws(Refusal) {
        self.limits = limits
        if body.isEmpty {
            object = JSONObject()
            return
        }
        // Nothing else is long, so little memory is ever spent on what will be ignored.
        let bounds = JSONLimits(values: limits.requestIDs + 1_000)
        let value: JSON
        do { value = try JSON(parsing: body, limits: bounds) } catch { throw Refusal(error) }
        guard case .object(let object) = value else {
            throw .wrongType("", wants: "an object", found: value)
        }
        self.object = object
    }

    func id() throws(Refusal) -> JobID {
        guard let value = object["id"] else { throw .missing("id") }
        return try value.id("id")
    }

    /// One id, or a list of them. An id that is repeated is there once: work and answer are bounded
    /// by what there is.
    func ids() throws(Refusal) -> (ids: [JobID], isBatch: Bool) {
        guard let list = object["ids"] else {
            guard object["id"] != nil else { throw .missing("id", hint: "Give id or ids.") }
            return ([try id()], false)
        }
        guard object["id"] == nil else { throw .conflict("id", "Give id or ids, not both.") }
        var ids: [JobID] = []
        var seen: Set<JobID> = []
        for (place, element) in try list.list("ids", count: 1...limits.requestIDs).enumerated() {
            let id = try element.id("ids[\(place)]")
            if seen.insert(id).inserted { ids.append(id) }
        }
        return (ids, true)
    }

    func requestName() throws(Refusal) -> String? {
        guard let value = object["request"] else { return nil }
        return try value.text("request")
    }

    func waitMs() throws(Refusal) -> Int64? {
        guard let value = object["wait_ms"] else { return nil }
        return try value.integer("wait_ms", in: 0...Limits.waitMs)
    }

    func range() throws(Refusal) -> ByteRange {
        var range = ByteRange.whole
        if let value = object["offset"] {
            range.offset = try value.integer("offset", in: 0...Int64.max)
        }
        if let value = object["limit"] {
            range.limit = try value.integer("limit", in: 1...Int64(limits.replyBytes))
        }
        return range
    }

    func filter() throws(Refusal) -> JobFilter {
        var filter = JobFilter()
        if let value = object["state"] { filter.state = try value.word("state") }
        if let value = object["kind"] { filter.kind = try value.word("kind") }
        filter.queue = try queue()
        return filter
    }

    func queue() throws(Refusal) -> QueueName? {
        guard let value = object["queue"] else { return nil }
        return try value.queueName("queue")
    }

    func after() throws(Refusal) -> JobID? {
        guard let value = object["after"], !value.isNull else { return nil }
        return JobID(rawValue: try value.integer("after", in: 0...Int64.max))
    }

    func pageLimit() throws(Refusal) -> Int {
        guard let value = object["limit"] else { return min(100, limits.listJobs) }
        return try value.integer("limit", in: 1...limits.listJobs)
    }

    /// Ids or a filter. To mean all jobs is not left to a forgotten or misspelt field.
    func selection() throws(Refusal) -> Selection {
        let filter = try filter()
        guard object["id"] == nil, object["ids"] == nil else {
            guard filter == JobFilter() else {
                throw .conflict("id", "Give ids or a filter, not both.")
            }
            return .ids(try ids().ids)
        }
        guard filter != JobFilter() else {
            throw .missing("id", hint: "Give id, ids, or a filter: state, queue, kind.")
        }
        return .filter(filter)
    }
}
