internal import JobCore
internal import SQLite

/// How specs, failures and tags lie in rows.
extension Parameters {
    /// `kind` to `keep_ms`, in the order of `Changes.insertJob`.
    mutating func add(_ spec: Spec) throws(SQLiteError) {
        try add(spec.kind.rawValue)
        try add(spec.queue.rawValue)
        try add(spec.priority)
        try add(spec.timeoutMs)
        try add(spec.retry.maxAttempts)
        try add(spec.retry.firstMs)
        try add(spec.retry.longestMs)
        try add(spec.parts)
        try add(spec.writes)
        try add(spec.salt)
        try add(Int64(bitPattern: spec.sort))
        try add(spec.name)
        try add(TagLines.joined(spec.tags))
        try add(spec.keepMs)
    }

    mutating func add(_ lane: Lane) throws(SQLiteError) {
        try add(lane.queue.rawValue)
        try add(lane.turns.text)
    }

    mutating func add(_ failure: Failure) throws(SQLiteError) {
        try add(failure.code.rawValue)
        try add(failure.message)
        try add(failure.hint)
        // One column for both: no failure has more than one of them.
        try add((failure.sqliteCode ?? failure.exitCode).map(Int64.init))
        try add(failure.offset.map(Int64.init))
        try add(failure.isPermanent)
    }
}

extension Row {
    /// `Columns.job`.
    mutating func job() throws(SQLiteError) -> Job {
        let id = id()
        let state = try word(JobState.self)
        let attempt = try attempt()
        let failures = int()
        let losses = int()
        var standing = Job.Standing(readyAt: moment())
        standing.state = state
        standing.attempt = attempt
        standing.failures = failures
        standing.losses = losses
        standing.waitsFor = int()
        standing.isSplit = flag()
        standing.cancelRequested = flag()
        let job = (writes: flag(), retry: retry())
        try check()
        guard standing.isPossible else { throw .damage("job \(id.rawValue) is in no state") }
        return Job(id: id, standing: standing, writes: job.writes, retry: job.retry)
    }

    /// The binary frames of a job, or how many bytes they have that are left in the store.
    typealias Inputs = (frames: [Spec.Frame], storedBytes: Int)

    /// `Columns.waiting`, with the binary frames and the sources as the caller finds them. The sum
    /// of the work is not looked at when frames are left in the store.
    mutating func waiting(
        inputs: (JobID, Spec.Kind) throws(SQLiteError) -> Inputs,
        sources: (JobID) throws(SQLiteError) -> [Source]
    ) throws(SQLiteError) -> Waiting {
        let id = id()
        let next = try attempt().next
        let readyAt = moment()
        let losses = int()
        let isSplit = flag()
        let comesAfterOthers = integer() > 0
        let spec = try spec(of: id, inputs: inputs)
        var waiting = Waiting(
            id: id,
            next: next,
            readyAt: readyAt,
            losses: losses,
            isSplit: isSplit,
            spec: spec
        )
        if comesAfterOthers { waiting.sources = try sources(id) }
        return waiting
    }

    private mutating func spec(
        of id: JobID,
        inputs: (JobID, Spec.Kind) throws(SQLiteError) -> Inputs
    ) throws(SQLiteError) -> Spec {
        var spec = Spec(kind: try word(), body: [], timeoutMs: 0)
        spec.queue = try word()
        spec.priority = int()
        spec.timeoutMs = integer()
        spec.retry = retry()
        spec.parts = int()
        spec.writes = optionalText()
        spec.skill = Turns(text: text()).skill
        spec.salt = optionalInteger()
        spec.sort = UInt64(bitPattern: integer())
        spec.name = optionalText()
        spec.tags = TagLines.split(optionalText())
        spec.keepMs = optionalInteger()
        let checksum = optionalInteger()
        if integer() > 0 { (spec.frames, spec.storedFrameBytes) = try inputs(id, spec.kind) }
        spec.body = bytes()
        try check()
        if spec.storedFrameBytes > 0 { return spec }
        guard checksum.map({ Checksum.isSum($0, of: spec, job: id) }) ?? true else {
            throw .damage("the work of job \(id.rawValue) is not as it was submitted")
        }
        return spec
    }

    /// `Columns.failure`.
    mutating func failure() throws(SQLiteError) -> Failure {
        var failure = Failure(try word(), text(), hint: optionalText())
        let number = optionalInteger().map { Int(clamping: $0) }
        switch failure.code {
        case .exitCode: failure.exitCode = number
        default: failure.sqliteCode = number
        }
        failure.offset = optionalInteger().map { Int(clamping: $0) }
        failure.isPermanent = flag()
        return failure
    }

    /// A schema's CHECK keeps attempts from being negative; a damaged page does not know it.
    mutating func attempt() throws(SQLiteError) -> Attempt {
        let number = integer()
        guard number >= 0, number < Int32.max else {
            throw .damage("\(number) is not an attempt")
        }
        return Attempt(rawValue: Int(number))
    }

    private mutating func retry() -> RetryPolicy {
        RetryPolicy(maxAttempts: int(), firstMs: integer(), longestMs: integer())
    }
}

/// As `jobs.turns` has them: nothing, or `s` of a suspect, else `w`, and the database; or `x` and
/// an external kernel, which no other letter follows.
extension Turns {
    var text: String {
        if let skill { return "x" + skill }
        return isSuspect ? "s" + (writes ?? "") : writes.map { "w" + $0 } ?? ""
    }

    init(text: String) {
        let name = text.count > 1 ? String(text.dropFirst()) : nil
        switch text.first {
        case "x": self.init(skill: name)
        case let first: self.init(isSuspect: first == "s", writes: name)
        }
    }
}

extension Job.Standing {
    /// What the schema's rules say, which a damaged page does not know.
    fileprivate var isPossible: Bool {
        let counts = 0...Int(Int32.max)
        return counts.contains(failures) && counts.contains(losses) && counts.contains(waitsFor)
            && (state != .running || attempt > .none)
            && (state == .queued || waitsFor == 0)
            && (state == .running || !cancelRequested)
    }
}

/// Tags as one text, one a line, in which a line break or backslash of a tag is written `\n`, `\\`.
enum TagLines {
    static func joined(_ tags: [String]) -> String? {
        tags.isEmpty ? nil : tags.map(escaped).joined(separator: "\n")
    }

    static func split(_ text: String?) -> [String] {
        guard let text else { return [] }
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return lines.map { unescaped($0) }
    }

    private static func escaped(_ tag: String) -> String {
        var bytes: [UInt8] = []
        for byte in tag.utf8 {
            switch byte {
            case UInt8(ascii: "\n"): bytes += Array("\\n".utf8)
            case UInt8(ascii: "\\"): bytes += Array("\\\\".utf8)
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func unescaped(_ line: Substring.UTF8View) -> String {
        var bytes: [UInt8] = []
        var isEscaped = false
        for byte in line {
            if isEscaped {
                bytes.append(byte == UInt8(ascii: "n") ? UInt8(ascii: "\n") : byte)
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
