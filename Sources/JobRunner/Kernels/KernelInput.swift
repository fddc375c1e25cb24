public import JobCore
public import JobWire

/// What a kernel computes from: the JSON of the job's `input`, and the binary frames it refers to.
public struct KernelInput: Equatable, Sendable {
    /// The exact bytes of the JSON, as the client wrote them.
    public let raw: [UInt8]
    /// Binary frames, by the number with which `{"$frame": n}` refers to them.
    public let frames: [Int: [UInt8]]
    /// The frames of a direct call, as they were sent; nil for a job that was submitted as JSON.
    public let call: [[UInt8]]?

    public init(raw: [UInt8], frames: [Int: [UInt8]] = [:]) {
        self.raw = raw
        self.frames = frames
        call = nil
    }

    /// The input of a direct call, or of `titanic.request`. One frame that is JSON is the input as
    /// it is; any other is binary, `{"$frame": 1}`, and several are `[{"$frame": 1}, …]`.
    public init(call frames: [[UInt8]]) {
        call = frames
        if frames.count == 1, Self.problem(of: frames[0]) == nil {
            raw = frames[0]
            self.frames = [:]
            return
        }
        var references: [JSON] = []
        var numbered: [Int: [UInt8]] = [:]
        for (number, frame) in zip(1..., frames) {
            references.append(["$frame": .integer(Int64(number))])
            numbered[number] = frame
        }
        raw = (frames.count == 1 ? references[0] : .array(references)).encoded()
        self.frames = numbered
    }

    /// Why this is no JSON; nil when it is.
    static func problem(of frame: [UInt8]) -> JSONError? {
        do throws(JSONError) {
            var scanner = try JSONScanner(frame)
            _ = try scanner.skipValue()
            try scanner.finish()
            return nil
        } catch {
            return error
        }
    }

    public init(_ json: JSON, frames: [Int: [UInt8]] = [:]) {
        self.init(raw: json.encoded(), frames: frames)
    }

    /// The input as a tree. It is parsed anew by each call, so that a kernel which reads `raw`
    /// itself pays for no tree.
    ///
    /// - Throws: `.badInput` when `raw` is no JSON.
    public func json() throws(KernelError) -> JSON {
        do {
            return try JSON(parsing: raw)
        } catch {
            throw .badInput(field: nil, message: error.summary, hint: error.hint)
        }
    }

    /// The frame that `{"$frame": n}` refers to; nil when `json` is no such reference.
    ///
    /// - Throws: `.badInput` when there is no such frame; `field` is its place for the message.
    public func frame(_ json: JSON, at field: String? = nil) throws(KernelError) -> [UInt8]? {
        guard let object = json.objectValue, object.count == 1, let number = object["$frame"]
        else { return nil }
        guard let number = number.integerValue, let bytes = frames[Int(number)] else {
            throw .badInput(
                field: field,
                message: "It refers to a binary frame that did not come with the job.",
                hint: "Frames that came: \(frameNumbers)."
            )
        }
        return bytes
    }

    private var frameNumbers: String {
        frames.isEmpty ? "none" : frames.keys.sorted().map(String.init).joined(separator: ", ")
    }
}

/// What a kernel has computed. Its format is `.json`, or `.bytes` for anything else, or `.frames`
/// for several of these.
public struct KernelOutput: Equatable, Sendable {
    public let bytes: [UInt8]
    public let format: ResultFormat

    public init(_ bytes: [UInt8], format: ResultFormat) {
        self.bytes = bytes
        self.format = format
    }

    /// Reals within the value must be finite.
    public static func json(_ value: JSON) -> KernelOutput {
        KernelOutput(value.encoded(), format: .json)
    }

    public static func bytes(_ bytes: [UInt8]) -> KernelOutput {
        KernelOutput(bytes, format: .bytes)
    }

    /// Frames whose boundaries are kept, as a direct call is answered with them; one is just bytes.
    public static func frames(_ frames: [[UInt8]]) -> KernelOutput {
        frames.count == 1
            ? .bytes(frames[0]) : KernelOutput(FrameList.joined(frames), format: .frames)
    }

    /// The output of a part as a tree, for `reduce`.
    ///
    /// - Throws: `.failed` when it is no JSON, which then is the kernel's own mistake.
    public func json() throws(KernelError) -> JSON {
        do {
            return try JSON(parsing: bytes)
        } catch {
            throw .failed("A part's output is no JSON. \(error.summary)")
        }
    }
}
