internal import JobCore
public import JobWire
public import ZeroMQ

/// Talks to one runner, from one thread: asks, waits for the answer, asks again when none comes.
///
/// A client survives a restart of the runner ("lazy pirate"): after a time-out it closes its
/// socket, opens a new one and sends the same request again. That is safe, because submissions
/// carry a key, and what must not be done twice is sent once: drain, cancel, retry and delete.
/// Source: ZeroMQ guide, chapter 4, "Client-Side Reliability".
public final class JobClient {
    public let endpoint: String
    private let options: Options
    private let context: Context
    private var connection: Connection
    /// Whether this runner has ever answered this client.
    private var hasHeard = false
    /// As the runner tells them; nil until it was asked.
    private var limits: JSON?

    public struct Options: Equatable, Sendable {
        /// How long one try waits, beside the `wait_ms` of the request itself. What is sent once is
        /// waited for longer; then this is how often the client looks whether the runner is there.
        public var patience: Duration = .milliseconds(2_500)
        /// How long a cancel, retry or delete may take: a filter may choose millions of jobs.
        public var longest: Duration = .seconds(600)
        /// How often a request is sent, or `patience` passes in silence, before the client gives
        /// up; at least once.
        public var tries = 4
        /// How long the first ping may take before there is no runner.
        public var greeting: Duration = .seconds(2)
        /// Who we are, and which runner we expect: for tcp, where a runner may ask for keys.
        public var keys: SocketOptions.ClientKeys?

        public init() {}
    }

    /// Does not wait for the runner; the first request does.
    public init(endpoint: String, options: Options = Options()) throws(ClientError) {
        let context = try asClientError { () throws(ZeroMQError) in try Context() }
        let connection = try asClientError { () throws(ZeroMQError) in
            try Connection(to: endpoint, options.keys, in: context)
        }
        self.endpoint = endpoint
        self.options = options
        self.context = context
        self.connection = connection
    }

    var keys: SocketOptions.ClientKeys? { options.keys }

    /// Sends one request and waits for its reply.
    ///
    /// - Parameters:
    ///   - service: One that takes JSON, such as `job.show`.
    ///   - arguments: An object.
    ///   - frames: Binary frames; the first is `{"$frame": 2}` in the arguments.
    /// - Returns: A reply of status 200 or 300.
    /// - Throws: `.refused` for every status from 400.
    public func call(
        _ service: String,
        _ arguments: JSON = [:],
        frames: [[UInt8]] = []
    ) throws(ClientError) -> Response {
        if !hasHeard { try greet() }
        let waitMs = max(arguments["wait_ms"]?.integerValue ?? 0, 0)
        for _ in 0..<max(options.tries, 1) {
            let patience = options.patience + .milliseconds(waitMs)
            if let reply = try ask(service, arguments, frames: frames, patience: patience) {
                return try reply.good()
            }
            try reconnect()
        }
        throw .timedOut(service: service, endpoint: endpoint)
    }

    /// Sends a request that must not be done twice, and waits for its reply while the same run of
    /// the runner is there: the next one knows nothing of it.
    ///
    /// - Throws: `.timedOut` also when it may have been done, wholly or in part.
    func callOnce(_ service: String, _ arguments: JSON) throws(ClientError) -> Response {
        let run = try info()["run"]
        let name = try send(service, arguments)
        let end = ContinuousClock.now + options.longest
        while ContinuousClock.now < end {
            if let reply = try reply({ $0.answers(name, of: service) }, within: options.patience) {
                return try reply.good()
            }
            let look = try send("sys.info", [:])
            let heard = try reply(
                { $0.answers(name, of: service) || $0.answers(look, of: "sys.info") },
                within: options.patience * max(options.tries, 1)
            )
            guard let heard else { break }
            if heard.answers(name, of: service) { return try heard.good() }
            guard heard.head["run"] == run else { break }
        }
        try reconnect()
        throw .timedOut(service: service, endpoint: endpoint)
    }

    /// One of the runner's limits, at least 1; `usual` where it does not tell it.
    func limit(_ name: String, usual: Int) throws(ClientError) -> Int {
        if limits == nil { limits = try info()["limits"] ?? [:] }
        return limits?[name]?.integerValue.map { max(1, Int(clamping: $0)) } ?? usual
    }

    /// So many ids at most may stand in one request.
    func mostIDs() throws(ClientError) -> Int {
        try limit("request_ids", usual: Limits().requestIDs)
    }

    /// The runner takes no more jobs, and stops when the running ones have ended.
    ///
    /// Asked once only: a second time might reach the runner's successor. One that has nothing to
    /// wait for may be gone before its reply has left, so silence of a runner that is gone will do.
    public func drain() throws(ClientError) {
        if !hasHeard { try greet() }
        if let reply = try ask("sys.drain", [:], frames: [], patience: options.patience) {
            _ = try reply.good()
            return
        }
        try reconnect()
        if try ask("sys.ping", [:], frames: [], patience: options.greeting) != nil {
            throw .timedOut(service: "sys.drain", endpoint: endpoint)
        }
    }

    /// Asks, as often as may be, and reads the answer.
    func put<Answer>(_ question: Question<Answer>) throws(ClientError) -> Answer {
        let letter = question.letter
        let reply =
            letter.isOnce
            ? try callOnce(letter.service, letter.arguments)
            : try call(letter.service, letter.arguments, frames: letter.frames)
        return try question.read(reply)
    }

    /// Sends many requests, at most 256 of them under way at a time, and gives their replies, or
    /// the refusals of them, in the same order. They may be done in any order.
    ///
    /// - Throws: When one has no reply, however often it was sent.
    public func replies(to letters: [Letter]) throws(ClientError) -> [Response] {
        var correspondence = Correspondence(with: endpoint, options)
        var replies = [Response?](repeating: nil, count: letters.count)
        var left = letters.count
        for (number, letter) in letters.enumerated() {
            correspondence.ask(letter, number: number, at: .now)
        }
        while left > 0 {
            for action in correspondence.take() {
                switch action {
                case .send(let message):
                    try asClientError { () throws(ZeroMQError) in try connection.send(message) }
                case .reconnect: try reconnect()
                case .tell(let number, let answer):
                    replies[number] = try answer.get()
                    left -= 1
                }
            }
            guard left > 0, let due = correspondence.due else { continue }
            let message = try asClientError { () throws(ZeroMQError) in
                try connection.next(until: due)
            }
            if let message, let reply = try? Response(message) {
                correspondence.hear(reply, at: .now)
            }
            correspondence.look(at: .now)
        }
        hasHeard = true
        return replies.compactMap { $0 }
    }

    /// Finds out whether a runner is there: it answers a ping at once, whatever else goes on.
    private func greet() throws(ClientError) {
        guard try ask("sys.ping", [:], frames: [], patience: options.greeting) != nil else {
            try reconnect()
            let usesKeys = options.keys != nil && endpoint.hasPrefix("tcp://")
            throw usesKeys ? .notLetIn(endpoint: endpoint) : .noRunner(endpoint: endpoint)
        }
        hasHeard = true
    }

    /// One try: nil when no reply came in time.
    private func ask(
        _ service: String,
        _ arguments: JSON,
        frames: [[UInt8]],
        patience: Duration
    ) throws(ClientError) -> Response? {
        let name = try send(service, arguments, frames: frames)
        return try reply({ $0.answers(name, of: service) }, within: patience)
    }

    /// - Returns: The name by which the reply is known.
    private func send(
        _ service: String,
        _ arguments: JSON,
        frames: [[UInt8]] = []
    ) throws(ClientError) -> String {
        let name = freshName()
        let call = Call(service, arguments.with("request", .string(name)), frames: frames)
        try asClientError { () throws(ZeroMQError) in try connection.send([[]] + call.message) }
        return name
    }

    /// The next reply that is wanted; others are dropped. Nil when none came in time.
    private func reply(
        _ isWanted: (Response) -> Bool,
        within patience: Duration
    ) throws(ClientError) -> Response? {
        let deadline = ContinuousClock.now + patience
        return try asClientError { () throws(ZeroMQError) in
            while let message = try connection.next(until: deadline) {
                if let reply = try? Response(message), isWanted(reply) { return reply }
            }
            return nil
        }
    }

    private func reconnect() throws(ClientError) {
        connection = try asClientError { () throws(ZeroMQError) in
            try Connection(to: endpoint, options.keys, in: context)
        }
    }
}

extension JSON {
    /// The object without this member; anything else as it is.
    func without(_ key: String) -> JSON {
        guard let members = objectValue?.members, self[key] != nil else { return self }
        var object = JSONObject()
        for member in members where member.key != key {
            _ = object.append(member.key, member.value)
        }
        return .object(object)
    }

    /// The object with this member last, in place of one of that name.
    func with(_ key: String, _ value: JSON) -> JSON {
        var object = without(key).objectValue ?? JSONObject()
        _ = object.append(key, value)
        return .object(object)
    }
}
