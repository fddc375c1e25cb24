import JobCore
import JobWire

@testable import JobRunner

/// Takes any object as a job, keeps it as the body, and refuses the key `refuse`.
let parseLoosely: JobFile.JobParser = { (bytes, frames) throws(Refusal) in
    let object: JSON
    do throws(JSONError) {
        object = try JSON(parsing: bytes)
    } catch {
        throw Refusal(400, "malformed", error.summary)
    }
    let key = object["key"]?.stringValue
    if key == "refuse" { throw Refusal(422, "invalid", "a refused key", field: "key") }
    var spec = Spec(kind: .sql, body: bytes, timeoutMs: 1_000)
    spec.frames = frames.enumerated().map { Spec.Frame(number: $0 + 2, bytes: $1) }
    var submission = Submission(spec: spec, key: key, fingerprint: 0)
    if object["after"] != nil { submission.after = [Predecessor(.job(JobID(rawValue: 1)))] }
    return submission
}
