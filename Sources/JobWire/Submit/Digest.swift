public import JobCore

/// 64 bits that stand for some bytes: the hash FNV-1a.
///
/// Stored with jobs, so it may never change. It is no protection against somebody who looks for two
/// jobs that hash alike, and need not be: a key is compared only with its owner's own jobs.
/// Source: Fowler, Noll, Vo; RFC 9923.
struct Digest {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(byte: UInt8) {
        value = (value ^ UInt64(byte)) &* 0x100_0000_01B3
    }

    mutating func add(_ bytes: [UInt8]) {
        for byte in bytes { add(byte: byte) }
    }

    /// The byte behind it, which no UTF-8 contains, keeps "ab", "c" and "a", "bc" apart.
    mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { for byte in $0 { add(byte: byte) } }
        add(byte: 0xFF)
    }

    mutating func add(_ number: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) {
            add(byte: UInt8(truncatingIfNeeded: number >> UInt64(shift)))
        }
    }
}

extension Digest {
    /// The same for values that differ only in white space, escapes and the order of members.
    /// Binary frames count by what they hold, not by their number.
    static func of(_ value: JSON, _ frames: inout FrameBook) throws(Refusal) -> UInt64 {
        var digest = Digest()
        try digest.add(value, &frames)
        return digest.value
    }

    private mutating func add(_ value: JSON, _ frames: inout FrameBook) throws(Refusal) {
        switch value {
        case .null: add(byte: 0)
        case .bool(let bool): add(byte: bool ? 2 : 1)
        case .integer(let integer):
            add(byte: 3)
            add(UInt64(bitPattern: integer))
        case .real(let real):
            add(byte: 4)
            add(real.bitPattern)
        case .bigNumber(let text):
            add(byte: 5)
            add(text)
        case .string(let text):
            add(byte: 6)
            add(text)
        case .array(let elements):
            add(byte: 7)
            for element in elements { try add(element, &frames) }
            add(byte: 8)
        case .object(let object):
            if let number = object.frameNumber {
                add(byte: 9)
                add(try frames.use(number))
            } else {
                let members = try object.members.map { (member) throws(Refusal) in
                    (key: member.key, digest: try Digest.of(member.value, &frames))
                }
                // No mark ends an object. A key that begins like a value, with one of these
                // bytes, could be what follows it in an array; so then the members are counted.
                let isOdd = members.contains { ($0.key.utf8.first ?? .max) <= 11 }
                add(byte: isOdd ? 11 : 10)
                if isOdd { add(UInt64(members.count)) }
                add(members: members)
            }
        }
    }

    /// Adds members with the digests of their values, in the order of their keys' bytes.
    private mutating func add(members: [(key: String, digest: UInt64)]) {
        for member in members.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            add(member.key)
            add(member.digest)
        }
    }
}

extension JSONObject {
    /// The number of a binary frame, when this is `{"$frame": n}`.
    var frameNumber: Int64? {
        count == 1 ? self["$frame"]?.integerValue : nil
    }
}

extension Order {
    /// Stands for the work itself, byte for byte: what a receipt must be of.
    public var workDigest: UInt64 {
        var digest = Digest()
        digest.add(body)
        for frame in frames.sorted(by: { $0.number < $1.number }) {
            digest.add(UInt64(bitPattern: Int64(frame.number)))
            digest.add(UInt64(frame.bytes.count))
            digest.add(frame.bytes)
        }
        return digest.value
    }
}
