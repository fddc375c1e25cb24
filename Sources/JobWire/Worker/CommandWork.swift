public import JobCore

/// What a command job shall run.
public struct CommandWork: Equatable, Sendable {
    /// The program, by its name or path, and what it is given.
    public var words: [String]
    /// In the order in which they were sent.
    public var environment: [Variable]
    /// What comes on its standard input.
    public var input: [UInt8]

    public struct Variable: Equatable, Sendable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public init(_ words: [String], environment: [Variable] = [], input: [UInt8] = []) {
        self.words = words
        self.environment = environment
        self.input = input
    }
}

extension CommandWork {
    /// Reads the body of a job of this kind.
    public init(_ body: [UInt8], frames: [Spec.Frame] = []) throws(FrameError) {
        let value: JSON
        do { value = try JSON(parsing: body) } catch { throw FrameError(error.summary) }
        guard case .array(let elements) = value["command"], !elements.isEmpty else {
            throw FrameError("the work has no command")
        }
        self.init([String]())
        for element in elements { words.append(try element.word) }
        for member in value["env"]?.objectValue?.members ?? [] {
            environment.append(Variable(member.key, try member.value.word))
        }
        if let value = value["input"] { input = try Self.input(value, frames) }
    }

    private static func input(
        _ value: JSON,
        _ frames: [Spec.Frame]
    ) throws(FrameError) -> [UInt8] {
        switch value {
        case .null: return []
        case .string(let text): return Array(text.utf8)
        case .object(let object):
            guard let number = object.frameNumber,
                let frame = frames.first(where: { $0.number == number })
            else { fallthrough }
            return frame.bytes
        default: throw FrameError("the input is neither text nor a frame that is there")
        }
    }
}

extension JSON {
    /// Text that a program can be given.
    fileprivate var word: String {
        get throws(FrameError) {
            guard let word = stringValue else { throw FrameError("a word is no text") }
            return word
        }
    }
}
