public import JobCore

/// What a run shall do, as the worker wants it: read from the JSON of an order.
public enum Work: Equatable, Sendable {
    case sql(SQLWork)
    case compute(ComputeWork)

    public init(_ order: Order) throws(FrameError) {
        switch order.kind {
        case .sql: self = .sql(try SQLWork(order.body, frames: order.frames))
        case .compute: self = .compute(try ComputeWork(order.body, frames: order.frames))
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
    public var params = Parameters.none
    /// Nil for an empty one in memory.
    public var database: String?
    public var mode = SQLMode.read
    public var format = ResultFormat.json

    public init(sql: String) {
        self.sql = sql
    }

    public enum Parameters: Equatable, Sendable {
        case none
        case list([SQLValue])
        /// In the order in which they were sent.
        case named([Named])
    }

    public struct Named: Equatable, Sendable {
        public var name: String
        public var value: SQLValue

        public init(_ name: String, _ value: SQLValue) {
            self.name = name
            self.value = value
        }
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
    /// Reads the body of a job of this kind.
    public init(_ body: [UInt8], frames: [Spec.Frame] = []) throws(FrameError) {
        let value: JSON
        do { value = try JSON(parsing: body) } catch { throw FrameError(error.summary) }
        guard case .object(let object) = value, let sql = object["sql"]?.stringValue else {
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
        params = try Parameters(object["params"], frames)
    }
}

extension SQLWork.Parameters {
    fileprivate init(_ value: JSON?, _ frames: [Spec.Frame]) throws(FrameError) {
        switch value {
        case nil: self = .none
        case .array(let elements):
            var values: [SQLValue] = []
            for element in elements { values.append(try SQLValue(element, frames)) }
            self = .list(values)
        case .object(let object):
            var values: [SQLWork.Named] = []
            for member in object.members {
                values.append(SQLWork.Named(member.key, try SQLValue(member.value, frames)))
            }
            self = .named(values)
        default: throw FrameError("params is neither an array nor an object")
        }
    }
}

extension SQLValue {
    /// SQL has no truth values: they become 1 and 0.
    fileprivate init(_ value: JSON, _ frames: [Spec.Frame]) throws(FrameError) {
        switch value {
        case .null: self = .null
        case .bool(let bool): self = .integer(bool ? 1 : 0)
        case .integer(let integer): self = .integer(integer)
        case .real(let real): self = .real(real)
        case .string(let text): self = .text(text)
        case .object(let object):
            if let number = object.frameNumber {
                guard let frame = frames.first(where: { $0.number == number }) else {
                    throw FrameError("there is no frame \(number)")
                }
                self = .blob(frame.bytes)
                return
            }
            guard let value = SQLValue(wrapped: object) else { fallthrough }
            self = value
        case .bigNumber, .array: throw FrameError("a parameter is no scalar")
        }
    }
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
