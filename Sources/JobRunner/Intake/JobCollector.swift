internal import JobCore
internal import JobWire

/// Where something stands in a file. Bytes are turned into lines only when there is an error.
enum Spot {
    case byte(Int)
    case place(JobFileProblem.Place)
}

/// One job as a file says it, before it is checked.
struct RawJob {
    var object = JSONObject()
    /// Where the job begins.
    var start: Spot
    /// Where the value of each member begins.
    var spots: [String: Spot] = [:]

    init(at start: Spot) { self.start = start }
}

/// Gathers the jobs of one file: reads durations, has each job parsed, and gives every error its
/// place in the file.
struct JobCollector {
    let text: [UInt8]
    private let jobsMax: Int
    private let readRows: RowsFile.Reader
    private let parse: JobFile.JobParser
    private(set) var jobs: [Submission] = []
    /// Bytes of CSVs that further jobs may have, for each job keeps its own.
    var rowsBytes: Int
    /// Where those jobs that come after others say so, by their places in `jobs`.
    private var afterSpots: [Int: Spot] = [:]

    init(
        text: [UInt8],
        _ limits: Limits,
        rows: @escaping RowsFile.Reader,
        parse: @escaping JobFile.JobParser
    ) {
        self.text = text
        jobsMax = limits.submissionJobs
        rowsBytes = limits.eachBytes
        readRows = rows
        self.parse = parse
    }

    mutating func add(_ raw: RawJob) throws(JobFileProblem) {
        guard jobs.count < jobsMax else {
            throw problem(
                "The file holds more than \(jobsMax) jobs.",
                at: raw.start,
                hint: "Split it into several files."
            )
        }
        let object = try asSent(raw)
        let frames = try rows(of: raw).map { [$0] } ?? []
        do {
            jobs.append(try parse(JSON.object(object).encoded(), frames))
        } catch {
            throw problem(error.message, at: spot(of: error.field, in: raw), hint: error.hint)
        }
        if jobs.last?.after.isEmpty == false {
            afterSpots[jobs.count - 1] = raw.spots["after"] ?? raw.start
        }
    }

    /// Once all jobs were added: looks up the names of those that others come after.
    mutating func link() throws(JobFileProblem) {
        do throws(UnfitJob) {
            jobs = try jobs.linked()
        } catch {
            let spot = afterSpots[error.place] ?? .byte(0)
            throw problem(error.refusal.message, at: spot, hint: error.refusal.hint)
        }
    }

    /// Instead of `link`, when the other jobs of the file are not known.
    func checkStandAlone() throws(JobFileProblem) {
        guard let place = jobs.firstIndex(where: { !$0.after.isEmpty }) else { return }
        throw problem(
            "In a file of so many jobs none may come after others.",
            at: afterSpots[place] ?? .byte(0),
            hint: "Put jobs with after into a file of at most \(jobsMax) jobs."
        )
    }

    /// One after the other, for a hostile file is nothing but line feeds.
    var lines: Lines { Lines(rest: text[...]) }

    func problem(_ text: String, at spot: Spot, hint: String? = nil) -> JobFileProblem {
        JobFileProblem(text, at: place(spot), hint: hint)
    }

    func place(_ spot: Spot) -> JobFileProblem.Place {
        switch spot {
        case .byte(let offset): JobFileProblem.Place(of: offset, in: text)
        case .place(let place): place
        }
    }

    /// A refusal names a field such as `params[2]` or `backoff.first_ms`: its first word tells
    /// where to look. The file may have had the name without its unit.
    private func spot(of field: String?, in raw: RawJob) -> Spot {
        guard let field else { return raw.start }
        let name = field.prefix { $0 != "." && $0 != "[" }
        return raw.spots[String(name)] ?? raw.spots[withoutUnit(name)] ?? raw.start
    }

    /// The CSV that the job names; nil when it names none.
    private mutating func rows(of raw: RawJob) throws(JobFileProblem) -> [UInt8]? {
        guard let name = raw.object["each"]?.stringValue else { return nil }
        let spot = raw.spots["each"] ?? raw.start
        guard RowsFile.isName(name) else {
            throw problem(
                "each must name a CSV, and \(quoted(name)) is not the name of one.",
                at: spot,
                hint: "Write the name of a file in the same directory that ends in .csv."
            )
        }
        let found: [UInt8]
        do { found = try readRows(name) } catch {
            throw problem(error.problem, at: spot, hint: error.hint)
        }
        guard found.count <= rowsBytes else {
            throw problem(
                "The CSVs of the jobs in one file may not have so many bytes together.",
                at: spot,
                hint: "Write one file of jobs for each CSV, or raise each_bytes in the settings."
            )
        }
        rowsBytes -= found.count
        return found
    }

    /// The job as a message says it: durations in milliseconds, a CSV as its only binary frame.
    private func asSent(_ raw: RawJob) throws(JobFileProblem) -> JSONObject {
        var object = JSONObject()
        for member in raw.object.members {
            let spot = raw.spots[member.key] ?? raw.start
            var (key, value) = (member.key, member.value)
            if DurationNames.ofJob.contains(key) {
                (key, value) = try milliseconds(key, value, at: spot)
            } else if key == "backoff", let pauses = value.objectValue {
                value = .object(try withDurations(pauses, at: spot))
            } else if key == "each", value.stringValue != nil {
                value = ["$frame": 2]
            }
            guard object.append(key, value) else {
                throw problem("\(withoutUnit(key[...])) and \(key) say the same thing.", at: spot)
            }
        }
        return object
    }

    private func withDurations(
        _ pauses: JSONObject,
        at spot: Spot
    ) throws(JobFileProblem) -> JSONObject {
        var object = JSONObject()
        for member in pauses.members {
            var (key, value) = (member.key, member.value)
            if DurationNames.ofBackoff.contains(key) {
                (key, value) = try milliseconds(key, value, at: spot)
            }
            guard object.append(key, value) else {
                throw problem("\(withoutUnit(key[...])) and \(key) say the same thing.", at: spot)
            }
        }
        return object
    }

    private func milliseconds(
        _ key: String,
        _ value: JSON,
        at spot: Spot
    ) throws(JobFileProblem) -> (String, JSON) {
        guard let text = value.stringValue, let ms = WrittenDuration.milliseconds(text) else {
            throw problem(
                "\(key) must be a duration with its unit, such as 10m.",
                at: spot,
                hint: "Write 500ms, 30s, 10m, 2h or 1d, or write \(key)_ms with a bare number."
            )
        }
        return (key + "_ms", .integer(ms))
    }
}

private func withoutUnit(_ name: some StringProtocol) -> String {
    name.hasSuffix("_ms") ? String(name.dropLast(3)) : String(name)
}

/// Durations in files of jobs stand under names without `_ms`.
private enum DurationNames {
    static let ofJob: Set<String> = ["timeout", "delay", "keep"]
    static let ofBackoff: Set<String> = ["first", "longest"]
}

/// The lines of a text, without their ends.
struct Lines: Sequence, IteratorProtocol {
    private var rest: ArraySlice<UInt8>?

    init(rest: ArraySlice<UInt8>) { self.rest = rest }

    mutating func next() -> ArraySlice<UInt8>? {
        guard let text = rest else { return nil }
        guard let end = text.firstIndex(of: UInt8(ascii: "\n")) else {
            rest = nil
            return text
        }
        rest = text[(end + 1)...]
        return text[..<end]
    }
}
