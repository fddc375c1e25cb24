/// The first frame of a message between broker and worker: numbers of fixed size, lowest byte
/// first, and short texts. What is long stands in frames of its own, so that it need not be copied.
struct HeadWriter {
    private(set) var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func int32(_ value: UInt32) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func int64(_ value: Int64) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func count(_ value: Int) {
        int32(UInt32(clamping: value))
    }

    mutating func text(_ text: String) {
        count(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    /// 0, or 1 and the value.
    mutating func optional<Value>(
        _ value: Value?,
        _ write: (inout HeadWriter, Value) -> Void
    ) {
        byte(value == nil ? 0 : 1)
        if let value { write(&self, value) }
    }
}

/// Reads what a `HeadWriter` wrote, and takes the frames behind it one by one.
struct HeadReader {
    private let head: [UInt8]
    private var position = 0
    private let frames: [[UInt8]]
    private var nextFrame = 1

    /// Begins behind the tag, which must come first.
    init(_ frames: [[UInt8]], tag: UInt8) throws(FrameError) {
        guard let head = frames.first else { throw FrameError("it has no frame") }
        self.head = head
        self.frames = frames
        guard try byte() == tag else { throw FrameError("it is of another type") }
    }

    mutating func byte() throws(FrameError) -> UInt8 {
        guard position < head.count else { throw FrameError("its head is too short") }
        defer { position += 1 }
        return head[position]
    }

    mutating func int32() throws(FrameError) -> UInt32 {
        UInt32(truncatingIfNeeded: try bits(4))
    }

    mutating func int64() throws(FrameError) -> Int64 {
        Int64(bitPattern: try bits(8))
    }

    /// A number that is not negative.
    mutating func natural() throws(FrameError) -> Int {
        guard let value = Int(exactly: try int64()), value >= 0 else {
            throw FrameError("a number is negative")
        }
        return value
    }

    /// A number of things of which each takes at least one byte or frame.
    mutating func count() throws(FrameError) -> Int {
        let count = Int(try int32())
        guard count <= head.count + frames.count else { throw FrameError("a count is too high") }
        return count
    }

    mutating func text() throws(FrameError) -> String {
        let count = try count()
        guard count <= head.count - position else { throw FrameError("a text is too long") }
        defer { position += count }
        guard let text = String(validating: head[position..<position + count], as: UTF8.self)
        else { throw FrameError("a text is not UTF-8") }
        return text
    }

    mutating func optional<Value>(
        _ read: (inout HeadReader) throws(FrameError) -> Value
    ) throws(FrameError) -> Value? {
        switch try byte() {
        case 0: nil
        case 1: try read(&self)
        default: throw FrameError("a mark is neither 0 nor 1")
        }
    }

    mutating func frame() throws(FrameError) -> [UInt8] {
        guard nextFrame < frames.count else { throw FrameError("a frame is missing") }
        defer { nextFrame += 1 }
        return frames[nextFrame]
    }

    func finish() throws(FrameError) {
        guard position == head.count else { throw FrameError("its head is too long") }
        guard nextFrame == frames.count else { throw FrameError("it has too many frames") }
    }

    private mutating func bits(_ size: Int) throws(FrameError) -> UInt64 {
        guard head.count - position >= size else { throw FrameError("its head is too short") }
        var value: UInt64 = 0
        for place in 0..<size { value |= UInt64(head[position + place]) << UInt64(8 * place) }
        position += size
        return value
    }
}
