/// The members of a JSON object, in the order in which they were written, each key once.
///
/// Keys are compared byte by byte, not by canonical equivalence: two spellings of "é" are two keys.
/// Up to 16 members a search walks the array, which is faster than hashing; beyond, an index
/// answers in constant time, so that a hostile object of a million keys is read in linear time.
public struct JSONObject: Equatable, Sendable {
    public struct Member: Equatable, Sendable {
        public let key: String
        public internal(set) var value: JSON
    }

    private static let walkedMembers = 16

    public private(set) var members: [Member] = []
    /// The place of each key; nil while the object is small.
    private var index: [ExactKey: Int]?

    public init() {}

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }

    public subscript(key: String) -> JSON? {
        position(of: key).map { members[$0].value }
    }

    /// - Returns: False when there is such a key already; the object is then unchanged.
    public mutating func append(_ key: String, _ value: JSON) -> Bool {
        guard position(of: key) == nil else { return false }
        members.append(Member(key: key, value: value))
        if index != nil {
            index?[ExactKey(text: key)] = members.count - 1
        } else if members.count > Self.walkedMembers {
            var places: [ExactKey: Int] = [:]
            for (place, member) in members.enumerated() {
                places[ExactKey(text: member.key)] = place
            }
            index = places
        }
        return true
    }

    /// Gives the newest member its value, which the scanner reads after the key.
    mutating func setLast(_ value: JSON) {
        members[members.count - 1].value = value
    }

    private func position(of key: String) -> Int? {
        let wanted = ExactKey(text: key)
        if let index { return index[wanted] }
        return members.firstIndex { ExactKey(text: $0.key) == wanted }
    }

    public static func == (a: JSONObject, b: JSONObject) -> Bool { a.members == b.members }
}

/// A string that equals and hashes as its bytes. `String` does both on normalised text, which is
/// slow for long keys and lets many different keys share one hash.
private struct ExactKey: Hashable {
    let text: String

    static func == (a: ExactKey, b: ExactKey) -> Bool {
        a.text.utf8.count == b.text.utf8.count && a.text.utf8.elementsEqual(b.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
