internal import JobCore
public import JobWire

/// What is asked of a runner: a service, an object, and binary frames, the first of which is
/// `{"$frame": 2}` in the object.
public struct Letter: Equatable, Sendable {
    public var service: String
    public var arguments: JSON
    public var frames: [[UInt8]]
    /// It must not be done twice, so it is never sent a second time.
    var isOnce = false

    public init(_ service: String, _ arguments: JSON = [:], frames: [[UInt8]] = []) {
        self.service = service
        self.arguments = arguments
        self.frames = frames
    }

    static func once(_ service: String, _ arguments: JSON) -> Letter {
        var letter = Letter(service, arguments)
        letter.isOnce = true
        return letter
    }

    /// How long the runner may keep it, in ms, as the letter itself says.
    var waitMs: Int64 { max(arguments["wait_ms"]?.integerValue ?? 0, 0) }
}

/// Decides which letters are sent, sent again and given up, with many of them under way. Pure: it
/// is told what is asked, what arrives, and the time.
///
/// This is the lazy pirate of the ZeroMQ guide, chapter 4: what has had no answer in time is sent
/// again, over a new connection when nobody else was answered meanwhile either. What must not be
/// done twice is sent once; while it takes long `sys.info` tells whether the run that was asked is
/// still there, for the next one knows nothing of it.
struct Correspondence {
    typealias Instant = ContinuousClock.Instant
    typealias Answer = Result<Response, ClientError>

    enum Action {
        case send([[UInt8]])
        /// Close the socket and open another.
        case reconnect
        case tell(Int, Answer)
    }

    /// So many letters are under way at a time, and as many that wait for jobs; others stand in
    /// line. A runner lets a client have 1 000 waits.
    static let window = 256

    private enum Purpose {
        case plain
        /// Asked of this run; given up when the time is over.
        case once(run: JSON?, until: Instant)
        /// Asks for the run, and then the letter is sent.
        case before(Letter)
        /// Asks whether that run is still there, because this letter takes long.
        case during(String)
    }

    private struct Open {
        let number: Int
        let letter: Letter
        var purpose: Purpose
        /// How often it may still be sent.
        var tries: Int
        var due: Instant?
    }

    private struct InLine {
        let number: Int
        let letter: Letter
    }

    private let endpoint: String
    private let options: JobClient.Options
    private var open: [String: Open] = [:]
    /// Those that do not wait for jobs, and those that do.
    private var lines: [ArraySlice<InLine>] = [[], []]
    private var counts = [0, 0]
    private var hasHeard = false
    private var greetedBy: Instant?
    /// When the runner was last heard, or a connection was made.
    private var aliveAt: Instant?
    /// At most the earliest `due` of those under way.
    private var earliest: Instant?
    private var nextName = 0
    private let token = freshName()
    private var actions: [Action] = []

    init(with endpoint: String, _ options: JobClient.Options) {
        self.endpoint = endpoint
        self.options = options
    }

    /// When to look again at the latest; nil when there is nothing to look for.
    var due: Instant? { [earliest, greetedBy].compactMap { $0 }.min() }

    mutating func take() -> [Action] {
        defer { actions = [] }
        return actions
    }

    /// The number comes back with the answer.
    mutating func ask(_ letter: Letter, number: Int, at now: Instant) {
        if !hasHeard, greetedBy == nil {
            greetedBy = now + options.greeting
            write(Letter("sys.ping"), name: name())
        }
        let line = letter.waitMs > 0 ? 1 : 0
        if counts[line] < Self.window {
            admit(InLine(number: number, letter: letter), at: now)
        } else {
            lines[line].append(InLine(number: number, letter: letter))
        }
    }

    /// Nobody wants this answer any more.
    mutating func forget(_ number: Int, at now: Instant) {
        for line in lines.indices { lines[line].removeAll { $0.number == number } }
        for name in open.filter({ $0.value.number == number }).keys { leave(name, at: now) }
    }

    mutating func hear(_ reply: Response, at now: Instant) {
        hasHeard = true
        (greetedBy, aliveAt) = (nil, now)
        guard let name = addressee(of: reply), let found = open[name] else { return }
        switch found.purpose {
        case .plain, .once: close(name, .success(reply), at: now)
        case .before(let letter):
            open[name] = nil
            let until = now + options.longest
            let once = Purpose.once(run: reply.head["run"], until: until)
            send(Open(number: found.number, letter: letter, purpose: once, tries: 1), at: now)
        case .during(let asked): heardRun(reply.head["run"], of: asked, by: name, at: now)
        }
    }

    /// Time has passed.
    mutating func look(at now: Instant) {
        if let greetedBy, greetedBy <= now { return fail(absence, at: now) }
        guard let earliest, earliest <= now else { return }
        defer { self.earliest = open.values.lazy.compactMap(\.due).min() }
        let late = open.filter { $0.value.due.map { $0 <= now } ?? false }
        guard !late.isEmpty else { return }
        // Replies to what is sent once come over the connection that it was sent on.
        let hasOnce = open.values.contains { if case .once = $0.purpose { true } else { false } }
        let silence = hasOnce ? options.patience * max(options.tries, 1) : options.patience
        if aliveAt.map({ $0.duration(to: now) >= silence }) ?? true { reconnect(at: now) }
        for (name, letter) in late where open[name] != nil { isLate(letter, name, at: now) }
    }

    /// Tells all the same, wherever they stand.
    mutating func fail(_ error: ClientError, at now: Instant) {
        let numbers = open.values.map(\.number)
        for number in Set(numbers + lines.joined().map(\.number)) {
            actions.append(.tell(number, .failure(error)))
        }
        open = [:]
        (lines, counts) = ([[], []], [0, 0])
        (earliest, greetedBy) = (nil, nil)
        actions.append(.reconnect)
    }

    // MARK: Coming and going

    private mutating func admit(_ found: InLine, at now: Instant) {
        counts[found.letter.waitMs > 0 ? 1 : 0] += 1
        let isOnce = found.letter.isOnce
        send(
            Open(
                number: found.number,
                letter: isOnce ? Letter("sys.info") : found.letter,
                purpose: isOnce ? .before(found.letter) : .plain,
                tries: max(options.tries, 1)
            ),
            at: now
        )
    }

    private mutating func close(_ name: String, _ answer: Answer, at now: Instant) {
        guard let found = open[name] else { return }
        actions.append(.tell(found.number, answer))
        leave(name, at: now)
    }

    /// Makes room for the next in line. Looks at the run go with what they were for.
    private mutating func leave(_ name: String, at now: Instant) {
        guard let found = open.removeValue(forKey: name) else { return }
        if case .during = found.purpose { return }
        if found.letter.isOnce {
            open = open.filter { look in
                if case .during(name) = look.value.purpose { false } else { true }
            }
        }
        let line = found.letter.waitMs > 0 ? 1 : 0
        counts[line] -= 1
        if let next = lines[line].popFirst() { admit(next, at: now) }
    }

    private func addressee(of reply: Response) -> String? {
        if let name = reply.request { return name }
        // A refusal of what could not be read bears no name. It is for one of these.
        guard reply.head["request"] == nil, reply.status >= 400 else { return nil }
        let same = open.filter { Array($0.value.letter.service.utf8) == reply.service }
        return same.count == 1 ? same.first?.key : nil
    }

    private mutating func heardRun(
        _ run: JSON?,
        of name: String,
        by look: String,
        at now: Instant
    ) {
        open[look] = nil
        guard case .once(let asked, let until)? = open[name]?.purpose else { return }
        let due = now + options.patience
        if run == asked, now < until {
            open[name]?.due = due
            earliest = min(earliest ?? due, due)
        } else {
            giveUp(name, at: now)
        }
    }

    private mutating func isLate(_ late: Open, _ name: String, at now: Instant) {
        if case .once = late.purpose {
            open[name]?.due = nil
            let look = Open(
                number: late.number,
                letter: Letter("sys.info"),
                purpose: .during(name),
                tries: max(options.tries, 1)
            )
            return send(look, at: now)
        }
        guard late.tries > 1 else { return giveUp(name, at: now) }
        var again = late
        again.tries -= 1
        send(again, as: name, at: now)
    }

    private mutating func giveUp(_ name: String, at now: Instant) {
        guard let found = open[name] else { return }
        switch found.purpose {
        case .during(let once):
            open[name] = nil
            giveUp(once, at: now)
        case .before(let letter): close(name, silence(letter.service), at: now)
        case .plain, .once: close(name, silence(found.letter.service), at: now)
        }
    }

    private func silence(_ service: String) -> Answer {
        .failure(.timedOut(service: service, endpoint: endpoint))
    }

    private var absence: ClientError {
        options.keys != nil && endpoint.hasPrefix("tcp://")
            ? .notLetIn(endpoint: endpoint) : .noRunner(endpoint: endpoint)
    }

    // MARK: Sending

    private mutating func name() -> String {
        nextName += 1
        return "\(token)-\(nextName)"
    }

    private mutating func send(_ what: Open, as known: String? = nil, at now: Instant) {
        let name = known ?? name()
        var what = what
        // The longer the line, the sooner a wait makes room: the last one has its turn in 2 s.
        let most = 2_000 * Self.window / (Self.window + lines[1].count)
        let waitMs = lines[1].isEmpty ? what.letter.waitMs : min(what.letter.waitMs, Int64(most))
        let due = now + options.patience + .milliseconds(waitMs)
        what.due = due
        earliest = min(earliest ?? due, due)
        open[name] = what
        var letter = what.letter
        if waitMs > 0 { letter.arguments = letter.arguments.with("wait_ms", .integer(waitMs)) }
        write(letter, name: name)
    }

    private mutating func write(_ letter: Letter, name: String) {
        let arguments = letter.arguments.with("request", .string(name))
        let call = Call(letter.service, arguments, frames: letter.frames)
        actions.append(.send([[]] + call.message))
    }

    /// The new connection is told all that is under way but what is sent once, which is given up.
    private mutating func reconnect(at now: Instant) {
        aliveAt = now
        actions.append(.reconnect)
        for (name, found) in open {
            switch found.purpose {
            case .once: giveUp(name, at: now)
            case .plain, .before, .during:
                if let due = found.due, due > now { write(found.letter, name: name) }
            }
        }
    }
}
