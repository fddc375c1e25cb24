internal import JobCore

/// Makes a submission of the fields, once all of them are there.
extension JobDraft {
    func finished(
        frames: [Spec.Frame],
        catalog: Catalog
    ) throws(Refusal) -> Submission {
        if let unknownField {
            throw .unknownField(
                unknownField,
                hint: hint(for: unknownField, among: JobField.known)
            )
        }
        let kind = try settledKind()
        if has(.readyAt), has(.delayMs) {
            throw .conflict("delay_ms", "A job has ready_at or delay_ms, not both.")
        }

        var spec = Spec(
            kind: kind,
            body: try body(kind, catalog),
            timeoutMs: timeoutMs ?? catalog.limits.timeoutMs
        )
        spec.frames = frames
        spec.queue = queue
        spec.priority = priority
        spec.retry = retry
        spec.parts = parts
        spec.writes = mode == .write ? database : nil
        spec.skill = try skill(catalog)
        spec.sort = sort(kind)
        spec.name = name
        spec.tags = tags
        spec.keepMs = keepMs
        var submission = Submission(spec: spec, key: key, fingerprint: fingerprint)
        submission.start = start
        submission.after = try predecessors()
        submission.onFailure = onFailure
        return submission
    }

    /// Those that the job comes after, of which some give it their results.
    private func predecessors() throws(Refusal) -> [Predecessor] {
        var after = after
        var seen: Set<ResultReference.Label> = []
        for (reference, field) in references where seen.insert(reference.label).inserted {
            guard let place = after.firstIndex(where: reference.label.means) else {
                throw .notAfter(reference.label, field)
            }
            after[place].givesResult = true
        }
        return after
    }

    /// The kind as it was named, or as the work tells.
    private func settledKind() throws(Refusal) -> Spec.Kind {
        let works = [JobField.sql, .kernel, .command].filter(has)
        guard works.count < 2 else {
            throw .conflict(works[1].rawValue, "A job has sql, kernel or command: one of them.")
        }
        guard let kind = kind ?? works.first?.kinds.first else {
            throw .missing("kind", hint: "Give sql, the name of a kernel, or a command.")
        }
        for (field, _) in given where !field.kinds.isEmpty && !field.kinds.contains(kind) {
            throw .conflict(
                field.rawValue,
                "A job of kind \(kind.rawValue) has no field \(field.rawValue)."
            )
        }
        return kind
    }

    private func body(_ kind: Spec.Kind, _ catalog: Catalog) throws(Refusal) -> [UInt8] {
        switch kind {
        case .sql: try sqlBody(catalog)
        case .compute: try computeBody(catalog)
        case .command: try commandBody(catalog)
        }
    }

    private func sqlBody(_ catalog: Catalog) throws(Refusal) -> [UInt8] {
        guard let sql else { throw .missing("sql") }
        if has(.params), has(.each) {
            throw .conflict("each", "A job has params or each, not both.")
        }
        if let database { try checkAccess(to: database, catalog) }

        let values = (params ?? each)?.count ?? 0
        var writer = JSONWriter(capacity: sql.utf8.count + values + 80)
        writer.beginObject()
        writer.key("sql")
        writer.string(sql)
        if let params {
            writer.key("params")
            writer.raw(params)
        }
        if let each {
            writer.key("each")
            writer.raw(each)
        }
        if let database {
            writer.key("database")
            writer.string(database)
        }
        writer.key("mode")
        writer.string(mode.rawValue)
        writer.key("format")
        writer.string(format.rawValue)
        writer.endObject()
        return writer.finish()
    }

    private func checkAccess(to database: String, _ catalog: Catalog) throws(Refusal) {
        guard let access = catalog.databases[database] else {
            throw Refusal(
                422,
                "unknown_database",
                "There is no database \(quoted(database)).",
                hint: hint(for: database, among: catalog.databases.keys),
                field: "database"
            )
        }
        guard mode == .read || access == .write else {
            throw Refusal(
                403,
                "not_allowed",
                "Jobs may only read the database \(quoted(database)).",
                hint: "The settings decide which databases may be written.",
                field: "mode"
            )
        }
    }

    private func computeBody(_ catalog: Catalog) throws(Refusal) -> [UInt8] {
        guard let kernel else { throw .missing("kernel") }
        guard catalog.kernels.contains(kernel) else {
            throw Refusal(
                422,
                "unknown_kernel",
                "There is no kernel \(quoted(kernel)).",
                hint: hint(for: kernel, among: catalog.kernels),
                field: "kernel"
            )
        }

        var writer = JSONWriter(capacity: (input?.count ?? 0) + 80)
        writer.beginObject()
        writer.key("kernel")
        writer.string(kernel)
        if let input {
            writer.key("input")
            writer.raw(input)
        }
        if parts > 1 {
            writer.key("parts")
            writer.integer(Int64(parts))
        }
        writer.endObject()
        return writer.finish()
    }

    /// The external kernel of the job; nil for every other one.
    private func skill(_ catalog: Catalog) throws(Refusal) -> String? {
        guard let kernel, catalog.externalKernels.contains(kernel) else { return nil }
        if parts > 1 {
            throw .conflict(
                "parts",
                "Jobs of \(kernel) have no parts: external workers do not divide them."
            )
        }
        return kernel
    }

    private func commandBody(_ catalog: Catalog) throws(Refusal) -> [UInt8] {
        guard let command, let program = command.first else { throw .missing("command") }
        if let inputProblem { throw inputProblem }
        guard catalog.commands.path(of: program) != nil else {
            throw Refusal(
                403,
                "denied",
                "Jobs may not run \(quoted(program)).",
                hint: catalog.commands.isEmpty
                    ? "The settings allow no program; those under commands would be."
                    : hint(for: program, among: catalog.commands.names),
                field: "command"
            )
        }

        var writer = JSONWriter(capacity: (input?.count ?? 0) + 120)
        writer.beginObject()
        writer.member("command", .array(command.map(JSON.string)))
        if !environment.isEmpty { writer.member("env", .object(environment)) }
        if let input {
            writer.key("input")
            writer.raw(input)
        }
        writer.endObject()
        return writer.finish()
    }

    /// Jobs of one kernel or program, or of one statement on one database, are expected to take
    /// alike; with rows, those with about as many: half to twice.
    private func sort(_ kind: Spec.Kind) -> UInt64 {
        switch kind {
        case .sql:
            var digest = Digest()
            digest.add(kind.rawValue)
            digest.add(database ?? "")
            digest.add(sql ?? "")
            if each != nil { digest.add(UInt64(Int.bitWidth - rows.leadingZeroBitCount)) }
            return digest.value
        case .compute: return Spec.sort(ofKernel: kernel ?? "")
        case .command:
            var digest = Digest()
            digest.add(kind.rawValue)
            digest.add(command?.first ?? "")
            return digest.value
        }
    }

    private var fingerprint: UInt64 {
        var digest = Digest()
        for (name, value) in given.map({ ($0.field.rawValue, $0.digest) }).sorted(by: <) {
            digest.add(name)
            digest.add(value)
        }
        return digest.value
    }
}
