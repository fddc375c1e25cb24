public import JobCore
public import JobWire

/// Getting jobs into the runner.
extension JobClient {
    /// Submits one job.
    ///
    /// - Parameters:
    ///   - job: The protocol's object, as `NewJob.json` makes it. It gets a key unless it has one.
    ///   - frames: Binary input, which the job refers to as `{"$frame": 2}` and so on.
    /// - Returns: Its id, once it is safe on the runner's disk.
    /// - Throws: `.refused` when the job is wrong or there is no room.
    public func submit(_ job: JSON, frames: [[UInt8]] = []) throws(ClientError) -> Accepted {
        try put(.submit(job, frames: frames))
    }

    public func submit(_ job: NewJob) throws(ClientError) -> Accepted {
        try submit(job.json, frames: job.frames)
    }

    /// Submits several jobs, all or none, at most as many as the runner's `submission_jobs`, and
    /// gives their ids in the same order.
    public func submit(all jobs: [JSON], frames: [[UInt8]] = []) throws(ClientError) -> [JobID] {
        try put(.submit(all: jobs, frames: frames))
    }
}

/// A job to be submitted. What is nil is left to the runner.
public struct NewJob: Equatable, Sendable {
    public enum Work: Equatable, Sendable {
        /// `parameters` is an array for `?`, an object for `:name`.
        case sql(String, parameters: JSON? = nil)
        case kernel(String, input: JSON = .null)
        /// A program of the runner's settings, by its name there or its path, and its arguments.
        case command([String], environment: JSONObject = JSONObject(), input: JSON = .null)
    }

    public var work: Work
    /// Rows of values with which the statement runs, once with each, instead of parameters: arrays,
    /// objects, or `{"$frame": 2}` for a CSV that is sent along.
    public var each: JSON?
    /// The alias of a database in the runner's settings.
    public var database: String?
    /// `read` or `write`.
    public var mode: String?
    /// `json`, `jsonl` or `csv`.
    public var format: String?
    /// Into how many jobs a kernel's work is divided.
    public var parts: Int64?
    public var queue: String?
    public var priority: Int64?
    public var delayMs: Int64?
    /// Of one attempt.
    public var timeoutMs: Int64?
    public var maxAttempts: Int64?
    /// Jobs that must end first.
    public var after: [JobID] = []
    /// `fail` or `run`, when one of them does not succeed.
    public var onFailure: String?
    public var key: String?
    public var name: String?
    public var tags: [String] = []
    /// Binary input, which the work refers to as `{"$frame": 2}` and so on.
    public var frames: [[UInt8]] = []

    public init(_ work: Work) { self.work = work }

    /// The job in the protocol's words.
    public var json: JSON {
        var object = JSONObject()
        func add(_ key: String, _ value: JSON?) {
            if let value { _ = object.append(key, value) }
        }
        switch work {
        case .sql(let text, let parameters):
            add("sql", .string(text))
            add("params", parameters)
        case .kernel(let name, let input):
            add("kernel", .string(name))
            add("input", input)
        case .command(let words, let environment, let input):
            add("command", .array(words.map(JSON.string)))
            add("env", environment.isEmpty ? nil : .object(environment))
            add("input", input)
        }
        add("each", each)
        add("database", database.map(JSON.string))
        add("mode", mode.map(JSON.string))
        add("format", format.map(JSON.string))
        add("parts", parts.map(JSON.integer))
        add("queue", queue.map(JSON.string))
        add("priority", priority.map(JSON.integer))
        add("delay_ms", delayMs.map(JSON.integer))
        add("timeout_ms", timeoutMs.map(JSON.integer))
        add("max_attempts", maxAttempts.map(JSON.integer))
        if !after.isEmpty { add("after", .array(after.map { .integer($0.rawValue) })) }
        add("on_failure", onFailure.map(JSON.string))
        add("key", key.map(JSON.string))
        add("name", name.map(JSON.string))
        if !tags.isEmpty { add("tags", .array(tags.map(JSON.string))) }
        return .object(object)
    }
}
