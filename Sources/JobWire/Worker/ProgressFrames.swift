public import JobCore

/// How far a run is, on its way from a process for kernels to its worker.
extension Progress {
    public var frames: [[UInt8]] {
        var head = HeadWriter()
        head.byte(progressTag)
        head.int64(done)
        head.int64(total)
        return [head.bytes]
    }

    public init(_ frames: [[UInt8]]) throws(FrameError) {
        var reader = try HeadReader(frames, tag: progressTag)
        self.init(done: try reader.int64(), total: try reader.int64())
        try reader.finish()
    }
}

private let progressTag = UInt8(ascii: "P")
