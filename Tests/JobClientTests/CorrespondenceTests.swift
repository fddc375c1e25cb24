import JobCore
import JobWire
import Testing

@testable import JobClient

/// What is sent, sent again and given up, at moments that the tests choose.
@Suite struct CorrespondenceTests {
    /// A correspondence, and what came of it.
    struct Stage {
        static let start = ContinuousClock.now
        var correspondence: Correspondence
        /// The services and bodies of what was sent.
        var sent: [(service: String, body: JSON)] = []
        var told: [Int: Correspondence.Answer] = [:]
        var connections = 0

        init(tries: Int = 3, greeted: Bool = true) throws {
            var options = JobClient.Options()
            options.patience = .seconds(2)
            options.tries = tries
            options.greeting = .seconds(1)
            correspondence = Correspondence(with: "tcp://mill:1", options)
            if greeted { try hear(at: 0, "sys.ping", ["request": "another's"]) }
        }

        static func moment(_ seconds: Double) -> ContinuousClock.Instant {
            start + .seconds(seconds)
        }

        mutating func ask(_ letter: Letter, _ number: Int, at seconds: Double) {
            correspondence.ask(letter, number: number, at: Self.moment(seconds))
            take()
        }

        mutating func hear(at seconds: Double, _ service: String, _ head: JSON) throws {
            let frames = ["", "MDPC01", service, "200"].map { Array($0.utf8) } + [head.encoded()]
            correspondence.hear(try Response(frames), at: Self.moment(seconds))
            take()
        }

        /// Answers what was sent as the `place`th.
        mutating func answer(_ place: Int, at seconds: Double, _ head: JSON = [:]) throws {
            let (service, body) = sent[place]
            let name = body["request"] ?? .null
            try hear(at: seconds, service, head.with("request", name))
        }

        mutating func look(at seconds: Double) {
            correspondence.look(at: Self.moment(seconds))
            take()
        }

        var services: [String] { sent.map(\.service) }

        mutating func take() {
            for action in correspondence.take() {
                switch action {
                case .reconnect: connections += 1
                case .tell(let number, let answer): told[number] = answer
                case .send(let message):
                    let body = (try? JSON(parsing: message[3])) ?? .null
                    sent.append((String(decoding: message[2], as: UTF8.self), body))
                }
            }
        }
    }

    private let show = Letter("job.show", ["id": 1])
    private let cancel = Letter.once("job.cancel", ["state": "queued"])
    private func timedOut(_ service: String) -> Correspondence.Answer {
        .failure(.timedOut(service: service, endpoint: "tcp://mill:1"))
    }

    @Test func `what has no answer is sent again as it was, over a new connection`() throws {
        var stage = try Stage()
        stage.ask(show, 7, at: 10)
        #expect(stage.correspondence.due == Stage.moment(12))
        stage.look(at: 11.9)
        #expect(stage.sent.count == 1)
        stage.look(at: 12)
        #expect(stage.connections == 1)
        #expect(stage.sent.count == 2 && stage.sent[0].body == stage.sent[1].body)
        try stage.answer(0, at: 13, ["state": "queued"])
        #expect(try stage.told[7]?.get().state == .queued)
        stage.look(at: 100)
        #expect(stage.correspondence.due == nil)
    }

    @Test func `after so many tries it is given up`() throws {
        var stage = try Stage()
        stage.ask(show, 7, at: 10)
        for moment in [12.0, 14, 16] { stage.look(at: moment) }
        #expect(stage.services == ["job.show", "job.show", "job.show"])
        #expect(stage.told == [7: timedOut("job.show")])
    }

    @Test func `where nobody has ever answered there is no runner for anybody`() throws {
        var stage = try Stage(greeted: false)
        stage.ask(show, 1, at: 10)
        stage.ask(cancel, 2, at: 10.5)
        #expect(stage.services == ["sys.ping", "job.show", "sys.info"])
        stage.look(at: 11)
        let nobody = Correspondence.Answer.failure(.noRunner(endpoint: "tcp://mill:1"))
        #expect(stage.told == [1: nobody, 2: nobody])
        stage.ask(show, 3, at: 20)
        #expect(stage.services.suffix(2) == ["sys.ping", "job.show"])
    }

    @Test func `while others are answered only the late one is sent again`() throws {
        var stage = try Stage()
        stage.ask(show, 1, at: 10)
        stage.ask(Letter("sys.stats"), 2, at: 10)
        try stage.answer(1, at: 11)
        stage.look(at: 12)
        #expect(stage.connections == 0)
        #expect(stage.services == ["job.show", "sys.stats", "job.show"])
    }

    @Test func `a new connection is told all that is under way, once in its time`() throws {
        var stage = try Stage()
        stage.ask(show, 1, at: 10)
        stage.ask(Letter("sys.stats"), 2, at: 11)
        stage.look(at: 12)
        #expect(stage.connections == 1)
        #expect(stage.services.suffix(2).sorted() == ["job.show", "sys.stats"])
        stage.look(at: 13)
        #expect(stage.connections == 1)
        #expect(stage.services.last == "sys.stats")
    }

    @Test func `what must not be done twice is sent once, to a run that is known`() throws {
        var stage = try Stage()
        stage.ask(cancel, 7, at: 10)
        #expect(stage.services == ["sys.info"])
        try stage.answer(0, at: 10, ["run": 1])
        for (place, moment) in [12.0, 14, 16].enumerated() {
            stage.look(at: moment)
            try stage.answer(place + 2, at: moment, ["run": 1])
        }
        #expect(stage.services == ["sys.info", "job.cancel", "sys.info", "sys.info", "sys.info"])
        try stage.answer(1, at: 17, ["count": 5])
        #expect(try stage.told[7]?.get().head["count"] == 5)
        stage.look(at: 100)
        #expect(stage.correspondence.due == nil)
    }

    @Test func `it is given up when another run answers, or nobody, and never sent again`() throws {
        var other = try Stage()
        other.ask(cancel, 7, at: 10)
        try other.answer(0, at: 10, ["run": 1])
        other.look(at: 12)
        try other.answer(2, at: 12, ["run": 2])
        #expect(other.told == [7: timedOut("job.cancel")])

        var silent = try Stage()
        silent.ask(cancel, 7, at: 10)
        try silent.answer(0, at: 10, ["run": 1])
        for moment in [12.0, 14] { silent.look(at: moment) }
        #expect(silent.told.isEmpty, "A runner may be frozen for a while.")
        for moment in [16.0, 18] { silent.look(at: moment) }
        #expect(silent.told == [7: timedOut("job.cancel")])
        for var stage in [other, silent] {
            stage.look(at: 100)
            #expect(stage.services.count { $0 == "job.cancel" } == 1)
            #expect(stage.correspondence.due == nil)
        }
    }

    @Test func `so many are under way, and who is forgotten makes room`() throws {
        var stage = try Stage()
        let window = Correspondence.window
        for number in 0..<(window + 2) { stage.ask(show, number, at: 10) }
        #expect(stage.sent.count == window)
        try stage.answer(5, at: 11)
        #expect(stage.sent.count == window + 1)
        stage.correspondence.forget(3, at: Stage.moment(11))
        stage.correspondence.forget(3, at: Stage.moment(11))
        stage.take()
        #expect(stage.sent.count == window + 2)
        stage.ask(Letter("job.result", ["id": 1, "wait_ms": 5_000]), 999, at: 11)
        #expect(stage.services.last == "job.result", "Those that wait have a line of their own.")
    }

    @Test func `the longer the line the shorter they wait`() throws {
        var stage = try Stage()
        let wait = Letter("job.result", ["id": 1, "wait_ms": 5_000])
        let count = 4 * Correspondence.window
        for number in 0..<count { stage.ask(wait, number, at: 10) }
        try stage.answer(0, at: 11)
        #expect(stage.sent.last?.body["wait_ms"]?.integerValue ?? 0 < 1_000)
        for place in 1..<count { try stage.answer(place, at: 11) }
        #expect(stage.told.count == count)
        #expect(stage.sent.last?.body["wait_ms"] == 5_000)
    }
}
