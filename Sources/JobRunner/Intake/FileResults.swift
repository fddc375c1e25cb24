internal import JobCore
internal import JobStorage
internal import JobWire

/// How the jobs of one file ended: what `results/NAME.json` tells.
///
/// ```
/// {"file": "report.sql", "jobs": [
///   {"id": 7, "name": "sales", "state": "succeeded", "attempt": 1, "result": {"columns": …}}]}
/// ```
/// A JSON result stands there as JSON, text as a string, other bytes as `{"base64": …}`. The result
/// of a file's only job that is not JSON has a file of its own, which `result_file` names. A result
/// too large to be given along is left to the store: `hint` says how to get it.
struct FileResults: Equatable, Sendable {
    struct Job: Equatable, Sendable {
        var result: JobResult
        /// As the file called it.
        var name: String?

        init(_ result: JobResult, name: String? = nil) {
            self.result = result
            self.name = name
        }
    }

    /// As the file was dropped.
    var name: String
    /// As it was called in `taken/`.
    var takenAs: String
    /// In the order of the file.
    var jobs: [Job]
    /// The job that the next part begins with; nil when there is none.
    var next: JobID?
    /// True when these are not all of the jobs.
    var isPart = false

    /// Which part of very many jobs is wanted.
    struct Page: Equatable, Sendable {
        /// The first job; nil for the first of the file.
        var from: JobID?
        /// Bytes of results that may be held.
        var room = StoreReader.reportBytes
    }

    /// Bytes of results that are held.
    var bytes: Int { jobs.reduce(0) { $0 + $1.result.bytes.count } }

    /// The only job's result as it came, and the extension for it; nil when it is JSON.
    var sibling: (format: String, bytes: [UInt8])? {
        guard !isPart, jobs.count == 1, let result = jobs.first?.result, let head = result.head,
            head.format != .json, result.isWhole
        else { return nil }
        return (head.format == .text ? "txt" : head.format.rawValue, result.bytes)
    }

    /// The text of `NAME.json`; `name` is what the results are called, less their extension.
    func encoded(as name: String) -> [UInt8] {
        var writer = JSONWriter(pretty: true)
        begin(&writer)
        write(as: name, to: &writer)
        Self.end(&writer)
        return writer.finish() + [UInt8(ascii: "\n")]
    }

    func begin(_ writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("file")
        writer.string(name)
        writer.key("jobs")
        writer.beginArray()
    }

    /// These jobs, which may be a part of all.
    func write(as name: String, to writer: inout JSONWriter) {
        for job in jobs { write(job, siblings: name, to: &writer) }
    }

    static func end(_ writer: inout JSONWriter) {
        writer.endArray()
        writer.endObject()
    }

    private func write(_ job: Job, siblings name: String, to writer: inout JSONWriter) {
        let end = job.result.end
        writer.beginObject()
        writer.member("id", .integer(end.id.rawValue))
        if let name = job.name { writer.member("name", .string(name)) }
        writer.member("state", .string(end.state.rawValue))
        writer.member("attempt", .integer(Int64(end.attempt.rawValue)))
        if let failure = end.failure { writer.member("error", json(failure)) }
        if let head = job.result.head {
            writer.member("format", .string(head.format.rawValue))
            if let rows = head.rows { writer.member("rows", .integer(rows)) }
            if let code = head.exitCode { writer.member("exit_code", .integer(Int64(code))) }
            if let stderr = head.stderr { writer.member("stderr", .string(stderr)) }
            writer.member("total_bytes", .integer(head.totalBytes))
            if let sibling {
                writer.member("result_file", .string("\(name).\(sibling.format)"))
            } else if job.result.isWhole {
                writer.key("result")
                write(job.result.bytes, isJSON: head.format == .json, to: &writer)
            } else {
                let command = "millrace result \(end.id.rawValue)"
                writer.member("hint", .string("It is too large to stand here: \(command)"))
            }
        }
        writer.endObject()
    }

    private func write(_ bytes: [UInt8], isJSON: Bool, to writer: inout JSONWriter) {
        if isJSON, isWellFormed(bytes) {
            writer.raw(bytes)
        } else if !bytes.withUnsafeBytes({ writer.string(ifUTF8: $0) }) {
            writer.member(base64: bytes)
        }
    }

    private func json(_ failure: Failure) -> JSON {
        var object: JSONObject = JSONObject()
        _ = object.append("code", .string(failure.code.rawValue))
        _ = object.append("message", .string(failure.message))
        if let hint = failure.hint { _ = object.append("hint", .string(hint)) }
        if let code = failure.exitCode { _ = object.append("exit_code", .integer(Int64(code))) }
        return .object(object)
    }
}

extension JobResult {
    /// False when the bytes were too many to be given along.
    fileprivate var isWhole: Bool { head?.totalBytes == Int64(bytes.count) }
}

extension JSONWriter {
    fileprivate mutating func member(base64 bytes: [UInt8]) {
        beginObject()
        key("base64")
        string(base64(bytes))
        endObject()
    }
}

/// What stands inside another document must not break it.
private func isWellFormed(_ bytes: [UInt8]) -> Bool {
    do throws(JSONError) {
        var scanner = try JSONScanner(bytes, limits: JSONLimits(depth: 512, values: .max))
        _ = try scanner.skipValue()
        try scanner.finish()
        return true
    } catch {
        return false
    }
}

/// Source: RFC 4648, section 4.
private func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        var bits = group.reduce(0) { $0 << 8 | UInt32($1) }
        bits <<= 8 * UInt32(3 - group.count)
        for place in 0..<4 {
            let digit = Int(bits >> UInt32(18 - 6 * place) & 63)
            text.append(place <= group.count ? alphabet[digit] : UInt8(ascii: "="))
        }
    }
    return String(decoding: text, as: UTF8.self)
}
