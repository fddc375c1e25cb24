internal import JobCore

/// The binary frames of one submission, and who refers to them. The first has the number 2, as it
/// stands behind the JSON.
struct FrameBook {
    private static let firstNumber = 2

    private let frames: [[UInt8]]
    private var digests: [UInt64?]
    /// Places of the frames that the job at hand refers to.
    private var current: [Int] = []
    /// How many bytes further jobs may refer to, for each job keeps a copy of its own.
    private var budget: Int
    private let limit: Int

    init(_ frames: [[UInt8]], limit: Int) {
        self.frames = frames
        digests = Array(repeating: nil, count: frames.count)
        budget = limit
        self.limit = limit
    }

    /// Notes that the job at hand refers to this frame.
    ///
    /// - Returns: The digest of what it holds.
    mutating func use(_ number: Int64) throws(Refusal) -> UInt64 {
        guard let number = Int(exactly: number),
            case let (place, false) = number.subtractingReportingOverflow(Self.firstNumber),
            frames.indices.contains(place)
        else {
            throw Refusal(
                422,
                "missing_frame",
                "There is no binary frame \(number).",
                hint: "The JSON is frame 1; the frames behind it count from 2."
            )
        }
        if !current.contains(place) {
            budget -= frames[place].count
            guard budget >= 0 else {
                throw .tooLarge(nil, "The frames that the jobs refer to exceed \(limit) bytes.")
            }
            current.append(place)
        }
        if let digest = digests[place] { return digest }
        var digest = Digest()
        digest.add(frames[place])
        digests[place] = digest.value
        return digest.value
    }

    func bytes(of number: Int64) -> [UInt8]? {
        guard let number = Int(exactly: number),
            case let (place, false) = number.subtractingReportingOverflow(Self.firstNumber),
            frames.indices.contains(place)
        else { return nil }
        return frames[place]
    }

    /// The frames of the job at hand, by number, which ends here.
    mutating func take() -> [Spec.Frame] {
        guard !current.isEmpty else { return [] }
        defer { current = [] }
        return current.sorted().map { place in
            Spec.Frame(number: place + Self.firstNumber, bytes: frames[place])
        }
    }

    func checkAllUsed() throws(Refusal) {
        guard let place = digests.firstIndex(where: { $0 == nil }) else { return }
        throw Refusal(
            422,
            "unused_frame",
            "Nothing refers to the binary frame \(place + Self.firstNumber).",
            hint: "Refer to it as {\"$frame\": \(place + Self.firstNumber)}."
        )
    }
}
