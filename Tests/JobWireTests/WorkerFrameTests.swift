import JobCore
import JobTesting
import JobWire
import Testing

/// What broker and workers say to each other.
struct WorkerFrameTests {
    private let orders: [Order] = Order.Phase.allCases.flatMap { phase in
        Spec.Kind.allCases.map { kind in
            var order = Order(
                sequence: .max,
                job: JobID(rawValue: .max),
                attempt: Attempt(rawValue: 3),
                phase: phase,
                kind: kind,
                timeoutMs: 604_800_000,
                parts: 1_024,
                body: Array("{}".utf8),
                frames: phase == .run
                    ? []
                    : [
                        Spec.Frame(number: 2, bytes: [1, 2]), Spec.Frame(number: 9, bytes: []),
                    ],
                outputs: phase == .reduce ? [[1], [], [2, 3]] : []
            )
            order.salt = phase == .run ? .min : nil
            order.removable = phase == .run ? [] : [1...1, 3...(.max)]
            order.group = phase == .run ? nil : .max - 1
            if phase != .look {
                order.sources = [
                    Source(JobID(rawValue: 7), name: "lädt"), Source(JobID(rawValue: .max)),
                ]
            }
            return order
        }
    }

    private let reports: [Report] = {
        var failure = Failure(.sqlError, "Ä sentence.", hint: "Do.", isPermanent: true)
        failure.sqliteCode = 2_067
        failure.offset = 0
        failure.exitCode = 137
        let frames = [
            Spec.Frame(number: 2, bytes: [7]), Spec.Frame(number: 3, bytes: [], isShared: true),
        ]
        let part = Part(body: [1], frames: frames)
        let endings: [Report.Ending] = [
            .succeeded(Outcome(format: .jsonl, bytes: [1, 2, 3], rows: 2)),
            .succeeded(Outcome(format: .bytes, bytes: [])), .failed(failure),
            .succeeded(Outcome(format: .text, bytes: [65], stderr: "Ä\n")),
            .failed(Failure(.timeout, "")), .brokenOff, .putBack, .split([]),
            .split([part, Part(body: [])]),
        ]
        return endings.map { ending in
            var report = Report(
                job: JobID(rawValue: 1),
                attempt: Attempt(rawValue: 2),
                worker: WorkerID(rawValue: 3),
                ending: ending,
                startedAt: Timestamp(rawValue: .min),
                durationMicros: .max
            )
            if ending == .brokenOff { report.leftovers = [JobID(rawValue: 7), JobID(rawValue: 9)] }
            report.commitMicros = ending == .putBack ? .max : 0
            report.needsOwnTransaction = ending == .putBack
            return report
        }
    }()

    @Test func `the bytes of a frame that parts share stay where they are`() throws {
        var report = try #require(reports.last)
        let shared = Spec.Frame(number: 2, bytes: [1, 2, 3], isShared: true)
        report.ending = .split([Part(body: [1], frames: [shared])])
        let frames = Report.frames(for: [report])
        #expect(frames.count == 2)
        let empty = Spec.Frame(number: 2, bytes: [], isShared: true)
        let read = try Report.read(frames).first?.ending
        #expect(read == .split([Part(body: [1], frames: [empty])]))
    }

    @Test func `orders come back as they went, alone and together`() throws {
        #expect(try Order.read(Order.frames(for: orders)) == orders)
        #expect(try Order.read(Order.frames(for: [])) == [])
        for order in orders { #expect(try Order.read(Order.frames(for: [order])) == [order]) }
    }

    @Test func `a digest stands for the work, whatever the order of its frames`() throws {
        let whole = try #require(orders.first { $0.frames.count > 1 })
        var order = whole
        let digest = order.workDigest
        order.frames.reverse()
        order.attempt = Attempt(rawValue: 9)
        #expect(order.workDigest == digest)
        order.frames[0].bytes.append(0)
        #expect(order.workDigest != digest)
        order = whole
        order.body.append(0x20)
        #expect(order.workDigest != digest)
    }

    @Test func `reports come back as they went, alone and together`() throws {
        #expect(try Report.read(Report.frames(for: reports)) == reports)
        #expect(try Report.read(Report.frames(for: [])) == [])
        for report in reports {
            #expect(try Report.read(Report.frames(for: [report])) == [report])
        }
    }

    @Test func `one is not taken for the other`() {
        #expect(throws: FrameError.self) { try Order.read(Report.frames(for: reports)) }
        #expect(throws: FrameError.self) { try Report.read(Order.frames(for: orders)) }
        #expect(throws: FrameError.self) { try Report.read([]) }
    }

    @Test func `a message that is cut or too long is refused`() {
        for frames in [Order.frames(for: orders), Report.frames(for: reports)] {
            func isRead(_ frames: [[UInt8]]) -> Bool {
                (try? Order.read(frames)) != nil || (try? Report.read(frames)) != nil
            }
            for length in frames[0].indices {
                #expect(!isRead([Array(frames[0].prefix(length))] + frames.dropFirst()))
            }
            #expect(!isRead([frames[0] + [0]] + frames.dropFirst()))
            #expect(!isRead(frames.dropLast()))
            #expect(!isRead(frames + [[]]))
        }
    }

    @Test func `damaged heads are read or refused, and never trap`() {
        var random = SeededGenerator(seed: 11)
        let messages = [Order.frames(for: orders), Report.frames(for: reports)]
        for round in 0..<20_000 {
            var frames = messages[round % 2]
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<frames[0].count, using: &random)
                frames[0][place] = UInt8.random(in: 0...255, using: &random)
            }
            _ = try? Order.read(frames)
            _ = try? Report.read(frames)
        }
    }
}

/// The work of an order, as a worker reads it.
struct WorkTests {
    private func sqlWork(_ text: String, frames: [[UInt8]] = []) throws -> SQLWork {
        let spec = try submission(text, frames: frames).spec
        return try SQLWork(spec.body, frames: spec.frames)
    }

    @Test func `an SQL job reaches the worker with its values`() throws {
        let found = try sqlWork(
            #"""
            {"sql":"a","database":"sales","mode":"write","format":"jsonl",
             "params":[null,true,false,7,7.0,"x",{"base64":"AAEC"},{"base64":""},
                       {"real":"inf"},{"real":"-inf"},{"$frame":2}]}
            """#,
            frames: [[9, 8]]
        )
        var expected = SQLWork(sql: "a")
        expected.database = "sales"
        expected.mode = .write
        expected.format = .jsonl
        expected.params = .list([
            .null, .integer(1), .integer(0), .integer(7), .real(7), .text("x"), .blob([0, 1, 2]),
            .blob([]), .real(.infinity), .real(-.infinity), .blob([9, 8]),
        ])
        #expect(found == expected)
        #expect(try sqlWork(#"{"sql":"a"}"#) == SQLWork(sql: "a"))
        #expect(
            try sqlWork(#"{"sql":"a","params":{"b":1,"a":"x"}}"#).params
                == .named([.init("b", .integer(1)), .init("a", .text("x"))])
        )
    }

    @Test func `a compute job reaches the worker with its input as it was sent`() throws {
        let spec = try submission(#"{"kernel":"echo","input":{ "a" : 1e0 }}"#).spec
        let found = try ComputeWork(spec.body)
        #expect(found.kernel == "echo")
        #expect(text(found.input) == #"{ "a" : 1e0 }"#)
        let bare = try submission(#"{"kernel":"echo"}"#).spec
        #expect(text(try ComputeWork(bare.body).input) == "null")
    }

    @Test func `an order's kind decides how its work is read`() throws {
        let spec = try submission(#"{"kernel":"echo","input":1}"#).spec
        let waiting = Waiting(
            id: JobID(rawValue: 1),
            next: Attempt(rawValue: 1),
            readyAt: Timestamp(rawValue: 0),
            spec: spec
        )
        let work = try Work(Order(sequence: 1, job: waiting))
        #expect(work == .compute(ComputeWork(kernel: "echo", input: Array("1".utf8))))
    }

    @Test func `a command reaches the worker with its words, variables and input`() throws {
        func work(_ text: String, frames: [[UInt8]] = []) throws -> CommandWork {
            let spec = try submission(text, frames: frames).spec
            return try CommandWork(spec.body, frames: spec.frames)
        }
        #expect(
            try work(
                #"{"input":{"$frame":2},"env":{"B":"é","A":""},"command":["gzip","","-9 \n"]}"#,
                frames: [[0, 255]]
            )
                == CommandWork(
                    ["gzip", "", "-9 \n"],
                    environment: [.init("B", "é"), .init("A", "")],
                    input: [0, 255]
                )
        )
        #expect(try work(#"{"command":["gzip"],"input":"aé"}"#).input == Array("aé".utf8))
        #expect(try work(#"{"command":["gzip"],"input":null}"#) == CommandWork(["gzip"]))
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"sql":1}"#, #"{"sql":"a","mode":"x"}"#, #"{"sql":"a","format":"x"}"#,
        #"{"sql":"a","params":1}"#, #"{"sql":"a","params":[[]]}"#,
        #"{"sql":"a","params":[{"$frame":2}]}"#, #"{"sql":"a","params":[{"base64":"x"}]}"#,
        #"{"sql":"a","each":1}"#, #"{"sql":"a","each":{"$frame":2}}"#,
    ])
    func `work that is none is an error`(body: String) {
        #expect(throws: FrameError.self) { try SQLWork(Array(body.utf8)) }
        #expect(throws: FrameError.self) { try ComputeWork(Array(body.utf8)) }
        #expect(throws: FrameError.self) { try CommandWork(Array(body.utf8)) }
    }
}
