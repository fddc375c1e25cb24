internal import JobCore

/// The fields of one job, taken in one by one as they stand in the text and each checked by itself.
/// `finished` then checks how they go together.
struct JobDraft {
    /// What was given, and what it hashes to.
    private(set) var given: [(field: JobField, digest: UInt64)] = []
    /// The first field that no job has.
    var unknownField: String?

    private(set) var kind: Spec.Kind?
    private(set) var sql: String?
    private(set) var params: ArraySlice<UInt8>?
    private(set) var each: ArraySlice<UInt8>?
    /// How many rows `each` has; set by who can see them all.
    var rows = 0
    private(set) var database: String?
    private(set) var mode = SQLMode.read
    private(set) var format = ResultFormat.json
    private(set) var kernel: String?
    private(set) var input: ArraySlice<UInt8>?
    /// Why the input is none for a command, should it be for one.
    private(set) var inputProblem: Refusal?
    private(set) var parts = 1
    private(set) var command: [String]?
    private(set) var environment = JSONObject()

    private(set) var queue = QueueName.standard
    private(set) var priority = 0
    private(set) var start = Submission.Start.now
    private(set) var timeoutMs: Int64?
    private(set) var retry = RetryPolicy.standard
    private(set) var key: String?
    private(set) var name: String?
    private(set) var tags: [String] = []
    private(set) var keepMs: Int64?
    private(set) var after: [Predecessor] = []
    private(set) var onFailure = OnFailure.fail
    /// The results that the work takes, and the field where it does.
    private(set) var references: [(ResultReference, field: String)] = []

    func has(_ field: JobField) -> Bool {
        given.contains { $0.field == field }
    }

    /// Takes a field with its value, the value's text as it was sent, and its digest.
    mutating func take(
        _ field: JobField,
        _ value: JSON,
        text: ArraySlice<UInt8>,
        digest: UInt64
    ) throws(Refusal) {
        if given.isEmpty { given.reserveCapacity(8) }
        given.append((field, digest))
        if field == .kind || !field.kinds.isEmpty {
            try takeWork(field, value, text)
        } else {
            try takeTerm(field, value)
        }
    }

    private mutating func takeWork(
        _ field: JobField,
        _ value: JSON,
        _ text: ArraySlice<UInt8>
    ) throws(Refusal) {
        let name = field.rawValue
        switch field {
        case .kind: kind = try value.word(name)
        case .sql: sql = try value.text(name, bytes: 1...Int.max)
        case .params:
            try checkParameters(value)
            params = text
            try takeReferences(in: value, name)
        case .each: each = text
        case .database: database = try value.text(name)
        case .mode: mode = try value.word(name)
        case .format: format = try value.rowFormat(name)
        case .kernel: kernel = try value.text(name)
        case .input:
            input = text
            inputProblem = problem(ofInput: value)
            try takeReferences(in: value, name)
        case .parts: parts = try value.integer(name, in: Limits.parts)
        case .command: command = try commandWords(value)
        case .env: environment = try commandEnvironment(value)
        default: break
        }
    }

    private mutating func takeTerm(_ field: JobField, _ value: JSON) throws(Refusal) {
        let name = field.rawValue
        switch field {
        case .queue: queue = try value.queueName(name)
        case .priority: priority = try value.integer(name, in: Limits.priorities)
        case .readyAt:
            start = .at(Timestamp(rawValue: try value.integer(name, in: readyAtBounds)))
        case .delayMs: start = .after(ms: try value.integer(name, in: Limits.delays))
        case .timeoutMs: timeoutMs = try value.integer(name, in: Limits.timeouts)
        case .maxAttempts: retry.maxAttempts = try value.integer(name, in: Limits.attempts)
        case .backoff: try takeBackoff(value)
        case .key: key = try value.text(name)
        case .name: self.name = try value.text(name)
        case .tags: try takeTags(value)
        case .keepMs: keepMs = try value.integer(name, in: Limits.delays)
        case .after: after = try value.predecessors(name)
        case .onFailure: onFailure = try value.word(name)
        default: throw .notImplemented(name, "\(name) is not built yet.")
        }
    }

    private mutating func takeReferences(in value: JSON, _ field: String) throws(Refusal) {
        for reference in try ResultReference.all(in: value, field) {
            references.append((reference, field))
        }
    }

    /// One of the two moves the other's default where it must.
    private mutating func takeBackoff(_ value: JSON) throws(Refusal) {
        guard case .object(let object) = value else {
            throw .wrongType("backoff", wants: "an object", found: value)
        }
        var first: Int64?
        var longest: Int64?
        for member in object.members {
            let name = "backoff.\(member.key)"
            switch member.key {
            case "first_ms": first = try member.value.integer(name, in: Limits.pauses)
            case "longest_ms": longest = try member.value.integer(name, in: Limits.pauses)
            default: throw .unknownField(name, hint: "It has first_ms and longest_ms.")
            }
        }
        if let first, let longest, first > longest {
            throw .outOfBounds("backoff.first_ms", "at most backoff.longest_ms, \(longest)")
        }
        retry.firstMs = first ?? min(retry.firstMs, longest ?? .max)
        retry.longestMs = longest ?? max(retry.longestMs, first ?? 0)
    }

    private mutating func takeTags(_ value: JSON) throws(Refusal) {
        let elements = try value.list("tags", count: 0...Limits.tags)
        for (place, element) in elements.enumerated() {
            tags.append(try element.text("tags[\(place)]"))
        }
    }
}

/// From 1970 to the end of the year 9999, UTC, in ms.
private let readyAtBounds: ClosedRange<Int64> = 0...253_402_300_799_999

extension JSON {
    fileprivate func rowFormat(_ field: String) throws(Refusal) -> ResultFormat {
        let format: ResultFormat = try word(field)
        guard [.json, .jsonl, .csv].contains(format) else {
            let name = quoted(format.rawValue)
            throw .invalid(field, "format may not be \(name).", hint: "Use json, jsonl, csv.")
        }
        return format
    }
}
