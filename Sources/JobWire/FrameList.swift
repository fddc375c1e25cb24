public import JobCore

/// Several frames as one run of bytes, in which their boundaries are kept: each stands behind its
/// length, four bytes with the highest first. No bytes are no frames.
public enum FrameList {
    private static let lengthBytes = 4

    /// The frames must be shorter than 4 GiB, which those of a message are.
    public static func joined(_ frames: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(frames.reduce(0) { $0 + lengthBytes + $1.count })
        for frame in frames {
            let length = UInt32(clamping: frame.count)
            withUnsafeBytes(of: length.bigEndian) { bytes.append(contentsOf: $0) }
            bytes += frame
        }
        return bytes
    }

    /// - Returns: Nil when the bytes are no such list.
    public static func split(_ bytes: [UInt8]) -> [[UInt8]]? {
        var frames: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            guard rest.count >= lengthBytes else { return nil }
            let length = rest.prefix(lengthBytes).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(lengthBytes)
            guard length <= rest.count else { return nil }
            frames.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return frames
    }
}

extension JobResult {
    /// The whole result as the frames that a kernel has made it of; what is no list of frames is
    /// one.
    public var frames: [[UInt8]] {
        guard head?.format == .frames else { return [bytes] }
        return FrameList.split(bytes) ?? [bytes]
    }
}
