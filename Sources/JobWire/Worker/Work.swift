public import JobCore

/// What a run shall do, as the worker wants it: read from the JSON of an order.
public enum Work: Equatable, Sendable {
    case sql(SQLWork)
    case compute(ComputeWork)
    case command(CommandWork)

    /// All that it takes of the store must be put in by now. Who only looks for what was done needs
    /// neither values nor rows: those are left out.
    public init(_ order: Order) throws(FrameError) {
        switch order.kind {
        case .sql:
            let runs = order.phase.runs
            self = .sql(try SQLWork(order.body, frames: order.frames, withValues: runs))
        case .compute: self = .compute(try ComputeWork(order.body, frames: order.frames))
        case .command: self = .command(try CommandWork(order.body, frames: order.frames))
        }
    }
}

/// What an SQL job may do to its database.
public enum SQLMode: String, CaseIterable, Sendable {
    case read, write
}

public struct SQLWork: Equatable, Sendable {
    /// One statement or several.
    public var sql: String
    public var params = StatementValues.none
    /// The rows with which the statement runs, once with each; nil when it runs once.
    public var each: EachRows?
    /// Nil for an empty one in memory.
    public var database: String?
    public var mode = SQLMode.read
    public var format = ResultFormat.json

    public init(sql: String) {
        self.sql = sql
    }
}

public struct ComputeWork: Equatable, Sendable {
    public var kernel: String
    /// JSON, byte for byte as the client sent it; `null` when it sent none.
    public var input: [UInt8]
    /// Binary frames that the input refers to as `{"$frame": n}`; of a direct call, all that was
    /// sent.
    public var frames: [Spec.Frame]
    /// True when there is no input but the frames.
    public var isCall = false

    public init(kernel: String, input: [UInt8], frames: [Spec.Frame] = []) {
        self.kernel = kernel
        self.input = input
        self.frames = frames
    }
}

extension SQLWork {
    /// Reads the body of a job of this kind. Its rows are passed over, to be read one by one.
    public init(
        _ body: [UInt8],
        frames: [Spec.Frame] = [],
        withValues: Bool = true
    ) throws(FrameError) {
        let (object, rows) = try members(of: body)
        guard let sql = object["sql"]?.stringValue else {
            throw FrameError("the work has no sql")
        }
        self.sql = sql
        database = object["database"]?.stringValue
        if let word = object["mode"]?.stringValue {
            guard let mode = SQLMode(rawValue: word) else { throw FrameError("no such mode") }
            self.mode = mode
        }
        if let word = object["format"]?.stringValue {
            guard let format = ResultFormat(rawValue: word) else {
                throw FrameError("there is no such format")
            }
            self.format = format
        }
        guard withValues else { return }
        params = try StatementValues(object["params"], frames)
        each = try rows.map { (rows) throws(FrameError) in try EachRows(body, in: rows, frames) }
    }
}

/// The members of the body, and where `each` stands.
private func members(
    of body: [UInt8]
) throws(FrameError) -> (object: JSONObject, each: Range<Int>?) {
    var object = JSONObject()
    var each: Range<Int>?
    do {
        var scanner = try JSONScanner(body)
        try scanner.enterObject()
        while let key = try scanner.nextMember() {
            if key == "each" {
                each = try scanner.skipValue()
            } else {
                _ = object.append(key, try scanner.value())  // The scanner refuses a second one.
            }
        }
        try scanner.finish()
    } catch {
        throw FrameError(error.summary)
    }
    return (object, each)
}

extension ComputeWork {
    /// Reads the body of a job of this kind. The input is skipped, not parsed.
    public init(_ body: [UInt8], frames: [Spec.Frame] = []) throws(FrameError) {
        self.init(kernel: "", input: Array("null".utf8), frames: frames)
        do { try readMembers(of: body) } catch { throw FrameError(error.summary) }
        guard !kernel.isEmpty else { throw FrameError("the work has no kernel") }
    }

    private mutating func readMembers(of body: [UInt8]) throws(JSONError) {
        var scanner = try JSONScanner(body)
        try scanner.enterObject()
        while let key = try scanner.nextMember() {
            switch key {
            case "kernel": kernel = try scanner.value().stringValue ?? ""
            case "input": input = Array(body[try scanner.skipValue()])
            case "call": isCall = try scanner.value().boolValue ?? false
            default: _ = try scanner.skipValue()
            }
        }
        try scanner.finish()
    }
}
