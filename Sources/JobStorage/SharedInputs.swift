internal import JobCore
internal import SQLite

/// Binary frames that parts have in common with their parent: stored once, and read once for as
/// many parts as are read together.
///
/// A part has a row in `inputs` for such a frame as for any other, with the negative of its number.
/// In place of the bytes stands a sum over them: what has become of the parent's row since is told
/// apart from what the part was given.
struct SharedInputs {
    private struct Name: Hashable {
        let parent: Int64
        let number: Int
    }

    /// What was read already, and its sum.
    private var known: [Name: (bytes: [UInt8], sum: [UInt8])] = [:]

    /// The sums of all frames that these parts share, by their numbers. The bytes are the same in
    /// all parts.
    static func sums(of parts: [Part]) -> [Int: [UInt8]] {
        var sums: [Int: [UInt8]] = [:]
        for part in parts {
            for frame in part.frames where frame.isShared && sums[frame.number] == nil {
                sums[frame.number] = sum(of: frame.bytes)
            }
        }
        return sums
    }

    private static func sum(of bytes: [UInt8]) -> [UInt8] {
        var checksum = Checksum()
        checksum.add(bytes)
        return withUnsafeBytes(of: checksum.value.littleEndian) { Array($0) }
    }

    /// A frame as a part has it.
    ///
    /// - Parameters:
    ///   - number: Of the frame.
    ///   - parent: Who has its bytes.
    ///   - sum: What the part knows of them.
    ///   - read: Gives the parent's bytes; nil when there are none.
    /// - Returns: The frame.
    /// - Throws: A damage, when the parent's bytes are not those that the part was given.
    mutating func frame(
        _ number: Int,
        of parent: Int64,
        sum: [UInt8],
        _ read: () throws(SQLiteError) -> [UInt8]?
    ) throws(SQLiteError) -> Spec.Frame {
        let name = Name(parent: parent, number: number)
        if known[name] == nil, let bytes = try read() {
            known[name] = (bytes, Self.sum(of: bytes))
        }
        guard let found = known[name], found.sum == sum else {
            throw .damage("frame \(number) of job \(parent) is not as its parts were given it")
        }
        return Spec.Frame(number: number, bytes: found.bytes, isShared: true)
    }
}

extension StoreReader {
    /// The binary frames of a job's work, those of its parent included that it shares.
    func frames(
        of id: JobID,
        _ shared: inout SharedInputs
    ) throws(SQLiteError) -> [Spec.Frame] {
        let rows = try questions.with(.inputs, id.rawValue).all {
            Spec.Frame(number: Int(clamping: $0.integer(0)), bytes: $0.bytes(1))
        }
        guard rows.contains(where: { $0.number < 0 }) else { return rows }
        let parent = try questions.with(.parent, id.rawValue).first { $0.integer(0) } ?? 0
        var frames: [Spec.Frame] = []
        for row in rows {
            guard row.number < 0 && row.number != .min else {
                frames.append(row)
                continue
            }
            let number = -row.number
            frames.append(
                try shared.frame(number, of: parent, sum: row.bytes) { () throws(SQLiteError) in
                    try questions.with(.input, parent, Int64(number)).first { $0.bytes(0) }
                }
            )
        }
        return frames.sorted { $0.number < $1.number }
    }
}

extension Commit {
    /// Writes the binary frames of a new job. `sums` are those of frames that it shares.
    func insertInputs(
        of id: JobID,
        _ frames: [Spec.Frame],
        _ sums: [Int: [UInt8]]
    ) throws(SQLiteError) {
        for frame in frames {
            var values = Parameters(of: changes[.insertInput])
            try values.add(id)
            try values.add(frame.isShared ? -frame.number : frame.number)
            try values.run(lendingBlob: frame.isShared ? sums[frame.number] ?? [] : frame.bytes)
        }
    }
}
