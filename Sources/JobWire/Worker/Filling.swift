public import JobCore

/// The result of a job, as it is given to one that comes after it.
public struct GivenResult: Equatable, Sendable {
    public var source: Source
    public var format: ResultFormat
    public var bytes: [UInt8]

    public init(_ source: Source, format: ResultFormat, bytes: [UInt8]) {
        self.source = source
        self.format = format
        self.bytes = bytes
    }
}

extension Order {
    /// The order with the results put into its work where that takes them; nothing else changes.
    ///
    /// A JSON result stands there as it is, the lines of a `jsonl` result as the elements of an
    /// array, a `csv` result as a string, and bytes as `{"$frame": n}`.
    ///
    /// - Parameters:
    ///   - results: Of all the jobs whose results the work takes.
    ///   - limit: How many bytes may be put in, all together.
    ///   - isCalledOff: Asked before each value: one that is large takes as long as it takes to
    ///     walk over it, and a job may take some ten thousand of them.
    /// - Returns: What can be read as `Work`, unless a value does not fit where it is taken.
    /// - Throws: `no_input`, permanently: a result has not what is taken, or there is too much. Not
    ///   permanently when it was called off.
    public func filled(
        with results: [GivenResult],
        atMost limit: Int,
        unless isCalledOff: () -> Bool = { false }
    ) throws(Failure) -> Order {
        var filling = try Filling(self, results, limit: limit)
        return try filling.filled(unless: isCalledOff)
    }
}

extension Failure {
    public static func noInput(_ message: String, hint: String? = nil) -> Failure {
        Failure(.noInput, message, hint: hint, isPermanent: true)
    }

    /// `limit` is how many bytes of results one job may take.
    public static func tooMuchInput(limit: Int) -> Failure {
        noInput(
            "The results that the job takes are larger than \(limit) bytes.",
            hint: "Have the jobs before it make less, or raise input_bytes in the settings."
        )
    }
}

/// One order into which results are put.
private struct Filling {
    private var order: Order
    private let results: [GivenResult]
    private let references: [ReferenceScan.Place]
    private let limit: Int
    /// What was put in, in bytes.
    private var given = 0
    /// The frames that results became, by the places of these.
    private var frames: [Int: [UInt8]] = [:]
    /// Likewise, the arrays that lines became.
    private var arrays: [Int: [UInt8]] = [:]

    init(_ order: Order, _ results: [GivenResult], limit: Int) throws(Failure) {
        self.order = order
        self.results = results
        self.limit = limit
        do throws(JSONError) {
            references = try ReferenceScan(order.body).found
        } catch {
            throw .noInput("The work of the job cannot be read: \(error.summary)")
        }
    }

    mutating func filled(unless isCalledOff: () -> Bool) throws(Failure) -> Order {
        var body: [UInt8] = []
        var end = 0
        for place in references {
            if isCalledOff() { throw Failure(.noInput, "The run was broken off.") }
            body += order.body[end..<place.range.lowerBound]
            body += try value(of: place.reference)
            end = place.range.upperBound
        }
        order.body = body + order.body[end...]
        order.sources = []
        return order
    }

    /// The JSON that stands for what is taken.
    private mutating func value(of reference: ResultReference) throws(Failure) -> [UInt8] {
        guard let place = results.firstIndex(where: { reference.label.means($0.source) }) else {
            throw .noInput("The result of \(reference.label.words) was not given to the job.")
        }
        let value = try value(of: reference, from: place)
        given += value.count
        guard given <= limit else { throw .tooMuchInput(limit: limit) }
        return value
    }

    private mutating func value(
        of reference: ResultReference,
        from place: Int
    ) throws(Failure) -> [UInt8] {
        let result = results[place]
        switch result.format {
        case .json: return try part(of: result.bytes, reference)
        case .jsonl:
            let array = arrays[place] ?? elements(of: result.bytes)
            arrays[place] = array
            return try part(of: array, reference)
        case .csv:
            try checkIsWhole(reference, "CSV")
            return try text(result.bytes, reference)
        case .text:
            try checkIsWhole(reference, "text")
            return try text(result.bytes, reference)
        case .bytes, .frames:
            try checkIsWhole(reference, "no JSON")
            return try frames(of: result, at: place)
        }
    }

    private func checkIsWhole(_ reference: ResultReference, _ what: String) throws(Failure) {
        guard !reference.path.isEmpty else { return }
        throw .noInput(
            "The result of \(reference.label.words) is \(what), into which no path leads.",
            hint: "Take the whole of it, or have that job make JSON."
        )
    }

    private func part(
        of bytes: [UInt8],
        _ reference: ResultReference
    ) throws(Failure) -> [UInt8] {
        let found: Range<Int>?
        do throws(JSONError) {
            found = try place(of: reference.path, in: bytes)
        } catch {
            throw .noInput("The result of \(reference.label.words): \(error.summary)")
        }
        guard let found else {
            let path = quoted(reference.path.joined(separator: "."))
            throw .noInput("The result of \(reference.label.words) has nothing at \(path).")
        }
        return Array(bytes[found])
    }

    private func elements(of lines: [UInt8]) -> [UInt8] {
        var array = [UInt8(ascii: "[")]
        array.reserveCapacity(lines.count + 2)
        for line in lines.split(separator: UInt8(ascii: "\n")) {
            if array.count > 1 { array.append(UInt8(ascii: ",")) }
            array += line
        }
        array.append(UInt8(ascii: "]"))
        return array
    }

    private func text(
        _ bytes: [UInt8],
        _ reference: ResultReference
    ) throws(Failure) -> [UInt8] {
        var writer = JSONWriter(capacity: bytes.count + 2)
        guard bytes.withUnsafeBytes({ writer.string(ifUTF8: $0) }) else {
            throw .noInput("The result of \(reference.label.words) is not UTF-8.")
        }
        return writer.finish()
    }

    /// Bytes become frames of the order, however often they are taken.
    private mutating func frames(
        of result: GivenResult,
        at place: Int
    ) throws(Failure) -> [UInt8] {
        if let known = frames[place] { return known }
        let parts = result.format == .frames ? FrameList.split(result.bytes) : [result.bytes]
        var next = (order.frames.map(\.number).max() ?? 0) + 1
        var references: [JSON] = []
        for bytes in parts ?? [result.bytes] {
            given += bytes.count
            order.frames.append(Spec.Frame(number: next, bytes: bytes))
            references.append(["$frame": .integer(Int64(next))])
            next += 1
        }
        let value = result.format == .frames ? JSON.array(references) : references[0]
        frames[place] = value.encoded()
        return value.encoded()
    }
}

/// Finds where the work of a job takes results, without building what stands between.
private struct ReferenceScan {
    struct Place {
        let range: Range<Int>
        let reference: ResultReference
    }

    private let bytes: [UInt8]
    private var scanner: JSONScanner
    private(set) var found: [Place] = []

    init(_ body: [UInt8]) throws(JSONError) {
        bytes = body
        scanner = try JSONScanner(body)
        try scanner.enterObject()
        while let key = try scanner.nextMember() {
            if key == "input" || key == "params" {
                try look()
            } else {
                _ = try scanner.skipValue()
            }
        }
        try scanner.finish()
    }

    /// As deep as the scanner allows.
    private mutating func look() throws(JSONError) {
        scanner.skipSpace()
        switch scanner.current {
        case UInt8(ascii: "{"): try lookIntoObject()
        case UInt8(ascii: "["):
            try scanner.enterArray()
            while try scanner.nextElement() { try look() }
        default: _ = try scanner.skipValue()
        }
    }

    private mutating func lookIntoObject() throws(JSONError) {
        let (start, before) = (scanner.position, found.count)
        var isReference = false
        try scanner.enterObject()
        while let key = try scanner.nextMember() {
            if key == ResultReference.key { isReference = true }
            try look()
        }
        guard isReference else { return }
        let range = start..<scanner.position
        found.removeSubrange(before...)
        // What is not as it was accepted is damaged, and found out where the work is read.
        guard let object = try JSON(parsing: bytes, in: range).objectValue,
            let reference = try? ResultReference(object, at: "")
        else { return }
        found.append(Place(range: range, reference: reference))
    }
}

/// Bounds of what the program itself has made: the size is bounded by who reads it.
private let ownJSON = JSONLimits(depth: 512, values: .max, numberBytes: .max)

/// Where a path leads to in a JSON text; nil when there is nothing. Of the whole it is made sure
/// that it is one value: a kernel's word for it is not enough to put it into the work of a job.
private func place(of path: [String], in bytes: [UInt8]) throws(JSONError) -> Range<Int>? {
    var scanner = try JSONScanner(bytes, limits: ownJSON)
    if path.isEmpty {
        let whole = try scanner.skipValue()
        try scanner.finish()
        return whole
    }
    for step in path {
        guard try scanner.enter(step) else { return nil }
    }
    return try scanner.skipValue()
}

extension JSONScanner {
    /// Moves before the value of this member or element.
    ///
    /// - Returns: False when there is none; the scanner is then of no more use.
    fileprivate mutating func enter(_ step: String) throws(JSONError) -> Bool {
        skipSpace()
        switch current {
        case UInt8(ascii: "{"):
            try enterObject()
            while let key = try nextMember() {
                if key.utf8.elementsEqual(step.utf8) { return true }
                _ = try skipValue()
            }
            return false
        case UInt8(ascii: "["):
            guard let index = ResultReference.index(step) else { return false }
            try enterArray()
            var place = 0
            while try nextElement() {
                if place == index { return true }
                place += 1
                _ = try skipValue()
            }
            return false
        default: return false
        }
    }
}
