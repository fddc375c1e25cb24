internal import JobCore

/// `{"$result": "load", "path": "rows.0.1"}`: where it stands in the work of a job, the result of a
/// job before it is put in, or what the path leads to in that.
struct ResultReference: Equatable {
    /// The job, as the work calls it.
    enum Label: Hashable {
        case name(String)
        case id(JobID)
    }

    /// The member by which such an object is told from any other.
    static let key = "$result"
    private static let pathKey = "path"

    let label: Label
    /// Names of members, and numbers of elements from 0; none for the whole result.
    let path: [String]

    /// Nil for an object that is none. `field` is its place, for the sentence.
    ///
    /// A path is `"rows.0.1"`, or `["rows", 0, 1]`, in which names may hold dots.
    init?(_ object: JSONObject, at field: @autoclosure () -> String) throws(Refusal) {
        guard let job = object[Self.key] else { return nil }
        if let other = object.members.first(where: { ![Self.key, Self.pathKey].contains($0.key) }) {
            throw .invalid(
                field(),
                "\(quoted(other.key)) stands beside $result.",
                hint: "A result is taken by {\"$result\": \"NAME\"}, with a path or without."
            )
        }
        switch job {
        case .string(let name): label = .name(name)
        case .integer(let id): label = .id(JobID(rawValue: id))
        default: throw .wrongType("\(field()).$result", wants: "a name or an id", found: job)
        }
        path =
            try object[Self.pathKey].map { (path) throws(Refusal) in
                try Self.steps(path, "\(field()).path")
            } ?? []
    }

    private static func steps(_ path: JSON, _ field: String) throws(Refusal) -> [String] {
        let steps: [String]
        switch path {
        case .string(let text):
            steps = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            guard !steps.contains("") else {
                throw .invalid(
                    field,
                    "\(field) has a step without a name.",
                    hint: "Write it as rows.0.1, or as a list: [\"rows\", 0, 1]."
                )
            }
        case .array(let elements):
            steps = try elements.map { (element) throws(Refusal) -> String in
                switch element {
                case .string(let name): return name
                case .integer(let number) where number >= 0: return String(number)
                default: throw .wrongType(field, wants: "names and numbers", found: element)
                }
            }
        case .integer(let number) where number >= 0: steps = [String(number)]
        default: throw .wrongType(field, wants: "a string or an array", found: path)
        }
        guard (1...Limits.pathSteps).contains(steps.count) else {
            throw .outOfBounds(field, "1 to \(Limits.pathSteps) steps long")
        }
        return steps
    }

    /// Whether the path leads on from an array to this element of it.
    static func index(_ step: String) -> Int? {
        guard step == "0" || step.utf8.first != UInt8(ascii: "0"), step.utf8.allSatisfy(isDigit)
        else { return nil }
        return Int(step)
    }

    /// All of them in a value, as they stand in it.
    static func all(in value: JSON, _ field: String) throws(Refusal) -> [ResultReference] {
        var found: [ResultReference] = []
        try collect(from: value, field, into: &found)
        return found
    }

    private static func collect(
        from value: JSON,
        _ field: String,
        into found: inout [ResultReference]
    ) throws(Refusal) {
        switch value {
        case .array(let elements):
            for element in elements { try collect(from: element, field, into: &found) }
        case .object(let object):
            if let reference = try ResultReference(object, at: field) {
                return found.append(reference)
            }
            for member in object.members { try collect(from: member.value, field, into: &found) }
        case .null, .bool, .integer, .real, .bigNumber, .string: return
        }
    }
}

private func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

extension ResultReference.Label {
    /// As a sentence calls the job.
    var words: String {
        switch self {
        case .name(let name): quoted(name)
        case .id(let id): "job \(id.rawValue)"
        }
    }

    /// Whether this is how a job is called that stands in `after`.
    func means(_ predecessor: Predecessor) -> Bool {
        switch (self, predecessor.reference) {
        case (.name(let name), .sibling(let other)): name == other
        case (.id(let id), .job(let other)): id == other
        default: false
        }
    }

    func means(_ source: Source) -> Bool {
        switch self {
        case .name(let name): source.name == name
        case .id(let id): source.name == nil && source.job == id
        }
    }
}
