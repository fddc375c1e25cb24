public import JobCore

/// Orders on their way from the broker to a worker.
extension Order {
    /// One message of any number of orders.
    ///
    /// - Returns: A head, then for each order its body, its binary frames and its outputs.
    public static func frames(for orders: [Order]) -> [[UInt8]] {
        var head = HeadWriter()
        var frames: [[UInt8]] = [[]]
        head.byte(ordersTag)
        head.count(orders.count)
        for order in orders {
            head.int64(Int64(bitPattern: order.sequence))
            head.int64(order.job.rawValue)
            head.int64(Int64(order.attempt.rawValue))
            head.byte(UInt8(order.phase.rawValue))
            head.byte(order.kind.mark)
            head.int64(order.timeoutMs)
            head.count(order.parts)
            head.work(order.body, order.frames, &frames)
            head.count(order.outputs.count)
            frames += order.outputs
            head.count(order.sources.count)
            for source in order.sources {
                head.int64(source.job.rawValue)
                head.optional(source.name) { $0.text($1) }
            }
            head.optional(order.salt) { $0.int64($1) }
            head.optional(order.unwritten) { $0.int64(Int64(bitPattern: $1)) }
            head.count(order.removable.count)
            for jobs in order.removable {
                head.int64(jobs.lowerBound)
                head.int64(jobs.upperBound)
            }
            head.optional(order.group) { $0.int64(Int64(bitPattern: $1)) }
            head.byte(order.framesAreStored ? 1 : 0)
        }
        frames[0] = head.bytes
        return frames
    }

    public static func read(_ frames: [[UInt8]]) throws(FrameError) -> [Order] {
        var reader = try HeadReader(frames, tag: ordersTag)
        var orders: [Order] = []
        for _ in 0..<(try reader.count()) { orders.append(try reader.order()) }
        try reader.finish()
        return orders
    }
}

extension HeadWriter {
    /// Work as JSON, with the binary frames that it refers to.
    mutating func work(_ body: [UInt8], _ attached: [Spec.Frame], _ frames: inout [[UInt8]]) {
        frames.append(body)
        count(attached.count)
        for frame in attached {
            count(frame.number)
            frames.append(frame.bytes)
        }
    }
}

extension HeadReader {
    mutating func work() throws(FrameError) -> Part {
        var part = Part(body: try frame())
        for _ in 0..<(try count()) {
            let number = Int(try int32())
            part.frames.append(Spec.Frame(number: number, bytes: try frame()))
        }
        return part
    }

    fileprivate mutating func order() throws(FrameError) -> Order {
        let sequence = UInt64(bitPattern: try int64())
        let job = JobID(rawValue: try int64())
        let attempt = Attempt(rawValue: try natural())
        guard let phase = Order.Phase(rawValue: Int(try byte())) else {
            throw FrameError("there is no such phase")
        }
        let mark = try byte()
        guard let kind = Spec.Kind.allCases.first(where: { $0.mark == mark }) else {
            throw FrameError("there is no such kind")
        }
        let timeoutMs = try int64()
        let parts = Int(try int32())
        guard timeoutMs > 0, Limits.parts.contains(parts) else {
            throw FrameError("a number is out of bounds")
        }
        let work = try work()
        var outputs: [[UInt8]] = []
        for _ in 0..<(try count()) { outputs.append(try frame()) }
        var order = Order(
            sequence: sequence,
            job: job,
            attempt: attempt,
            phase: phase,
            kind: kind,
            timeoutMs: timeoutMs,
            parts: parts,
            body: work.body,
            frames: work.frames,
            outputs: outputs
        )
        for _ in 0..<(try count()) {
            let job = JobID(rawValue: try int64())
            let name = try optional { (reader) throws(FrameError) in try reader.text() }
            order.sources.append(Source(job, name: name))
        }
        order.salt = try optional { (reader) throws(FrameError) in try reader.int64() }
        order.unwritten = try optional { (reader) throws(FrameError) in
            UInt64(bitPattern: try reader.int64())
        }
        for _ in 0..<(try count()) {
            let (first, last) = (try int64(), try int64())
            guard first <= last else { throw FrameError("a range ends before it begins") }
            order.removable.append(first...last)
        }
        order.group = try optional { (reader) throws(FrameError) in
            UInt64(bitPattern: try reader.int64())
        }
        order.framesAreStored = try byte() != 0
        return order
    }
}

private let ordersTag = UInt8(ascii: "O")

extension Spec.Kind {
    /// What a head calls it.
    fileprivate var mark: UInt8 {
        switch self {
        case .sql: 0
        case .compute: 1
        case .command: 2
        }
    }
}
