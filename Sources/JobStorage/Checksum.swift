internal import JobCore

/// A sum over what must never change, kept beside it: SQLite does not notice flipped bits in a row.
///
/// A change within eight neighbouring bytes is always found, any other one with all but certainty;
/// somebody who means harm can compute it.
///
/// Source: FNV-1a of Fowler, Noll and Vo, by words of 64 bits instead of bytes; a shift after each
/// step, as a multiplication carries bits only upwards. Each step can be undone, so that no two
/// words give the same sum.
struct Checksum {
    private var sum: UInt64 = 0xCBF2_9CE4_8422_2325
    /// As SQLite keeps it.
    var value: Int64 { Int64(bitPattern: sum) }

    mutating func add(_ word: Int64) { mix(UInt64(bitPattern: word)) }

    mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
    }

    mutating func add(_ bytes: [UInt8]) { bytes.withUnsafeBytes { add($0) } }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        mix(UInt64(bytes.count))
        let whole = bytes.count / 8 * 8
        for place in stride(from: 0, to: whole, by: 8) {
            mix(bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self).littleEndian)
        }
        var rest: UInt64 = 0
        for byte in bytes[whole...] { rest = rest << 8 | UInt64(byte) }
        if whole < bytes.count { mix(rest) }
    }

    private mutating func mix(_ word: UInt64) {
        sum = (sum ^ word) &* 0x0000_0100_0000_01B3
        sum ^= sum >> 32
    }
}

extension Checksum {
    /// Of a job's work: what a worker is told.
    static func of(_ spec: Spec, job id: JobID) -> Int64 {
        var checksum = Checksum()
        checksum.add(id.rawValue)
        checksum.add(spec.kind.rawValue)
        checksum.add(spec.queue.rawValue)
        checksum.add(spec.writes ?? "")
        checksum.add(Int64(spec.parts))
        checksum.add(spec.timeoutMs)
        checksum.add(spec.body)
        for frame in spec.frames {
            checksum.add(Int64(frame.isShared ? -frame.number : frame.number))
            if !frame.isShared { checksum.add(frame.bytes) }  // Else they have a sum of their own.
        }
        if let salt = spec.salt { checksum.add(salt) }
        return checksum.value
    }

    /// Whether this is the sum of a job's work. Rows of schema 3 have it without the salt.
    static func isSum(_ value: Int64, of spec: Spec, job id: JobID) -> Bool {
        if value == of(spec, job: id) { return true }
        var older = spec
        older.salt = nil
        return spec.salt != nil && value == of(older, job: id)
    }

    /// Of a result's head, and of its bytes where they lie in the same row.
    static func of(
        _ head: ResultHead,
        job id: JobID,
        attempt: Int64,
        body: UnsafeRawBufferPointer
    ) -> Int64 {
        var checksum = Checksum()
        checksum.add(id.rawValue)
        checksum.add(attempt)
        checksum.add(head.format.rawValue)
        checksum.add(head.rows ?? -1)
        checksum.add(head.totalBytes)
        if let stderr = head.stderr { checksum.add(stderr) }
        checksum.add(body)
        return checksum.value
    }

    /// Of one part of a large result.
    static func of(
        part: Int64,
        job id: JobID,
        attempt: Int64,
        body: UnsafeRawBufferPointer
    ) -> Int64 {
        var checksum = Checksum()
        checksum.add(id.rawValue)
        checksum.add(attempt)
        checksum.add(part)
        checksum.add(body)
        return checksum.value
    }
}
