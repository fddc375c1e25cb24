import JobCore
import JobWire
import Testing

/// Results of jobs, put into the work of those that come after them.
@Suite("Filling in results") struct FillingTests {
    private let table = #"{"columns":["a","b"],"rows":[[1,"x"],[2.50,null]],"changes":0}"#

    private func order(_ body: String, _ kind: Spec.Kind = .compute) -> Order {
        var spec = Spec(kind: kind, body: Array(body.utf8), timeoutMs: 1)
        spec.frames = [Spec.Frame(number: 2, bytes: [9])]
        var waiting = Waiting(
            id: JobID(rawValue: 9),
            next: Attempt(rawValue: 1),
            readyAt: Timestamp(rawValue: 0),
            spec: spec
        )
        waiting.sources = [Source(JobID(rawValue: 3), name: "load"), Source(JobID(rawValue: 4))]
        return Order(sequence: 1, job: waiting)
    }

    private func filled(
        _ body: String,
        _ result: String,
        _ format: ResultFormat = .json,
        limit: Int = 1_000
    ) throws -> Order {
        let order = order(body)
        let given = order.sources.map { GivenResult($0, format: format, bytes: Array(result.utf8)) }
        return try order.filled(with: given, atMost: limit)
    }

    private func input(_ input: String, _ result: String, _ format: ResultFormat = .json) throws
        -> String
    {
        let body = try filled(#"{"kernel":"echo","input":\#(input)}"#, result, format).body
        return String(text(body).dropFirst(#"{"kernel":"echo","input":"#.count).dropLast())
    }

    private func failure(_ input: String, _ result: String, _ format: ResultFormat = .json)
        -> Failure?
    {
        do throws(Failure) {
            let order = order(#"{"kernel":"echo","input":\#(input)}"#)
            let given = order.sources.map {
                GivenResult($0, format: format, bytes: Array(result.utf8))
            }
            _ = try order.filled(with: given, atMost: 1_000)
            return nil
        } catch {
            return error
        }
    }

    @Test func `the whole result stands where it is taken, byte for byte`() throws {
        let result = #"{ "a": [1.50, "\u0041"] }"#
        #expect(try input(#"{"$result":"load"}"#, result) == result)
        #expect(
            try input(#" [ {"$result":4} , {"x": {"$result":"load"}} , 7.0 ]"#, result)
                == " [ \(result) , {\"x\": \(result)} , 7.0 ]"
        )
    }

    @Test(arguments: [
        (#""rows""#, #"[[1,"x"],[2.50,null]]"#), (#""rows.1""#, "[2.50,null]"),
        (#""rows.1.0""#, "2.50"), (#"["rows",0,1]"#, #""x""#), (#"["rows","1","1"]"#, "null"),
        (#""changes""#, "0"), (#""columns.1""#, #""b""#),
    ])
    func `a path leads to a value`(path: String, expected: String) throws {
        #expect(try input(#"{"$result":"load","path":\#(path)}"#, table) == expected)
    }

    @Test(arguments: [
        #""row""#, #""rows.2""#, #""rows.01""#, #""rows.x""#, #""rows.-1""#, #""changes.0""#,
        #""columns.0.0""#, #""rows.99999999999999999999""#, #"["rows",""]"#,
    ])
    func `a path that leads nowhere is a failure for good`(path: String) {
        let failure = failure(#"{"$result":"load","path":\#(path)}"#, table)
        #expect(failure?.code == .noInput && failure?.isPermanent == true)
        #expect(failure?.message.hasPrefix(#"The result of "load" has nothing at "#) == true)
    }

    @Test func `names with dots, odd names and escapes are found as they are`() throws {
        let result = #"{"a.b":{"":[0,{"\u00e9":1}]},"a":2}"#
        #expect(try input(#"{"$result":4,"path":["a.b","",1,"é"]}"#, result) == "1")
        #expect(failure(#"{"$result":4,"path":["a.b","",1,"e\u0301"]}"#, result)?.code == .noInput)
        #expect(failure(#"{"$result":4,"path":"a.b"}"#, result)?.code == .noInput)
    }

    @Test func `the lines of a result are an array, CSV is a text`() throws {
        let lines = "{\"n\":1}\n{\"n\":2}\n"
        #expect(try input(#"{"$result":"load"}"#, lines, .jsonl) == #"[{"n":1},{"n":2}]"#)
        #expect(try input(#"{"$result":"load","path":"1.n"}"#, lines, .jsonl) == "2")
        #expect(try input(#"{"$result":"load"}"#, "", .jsonl) == "[]")
        let table = "a,b\r\n1,\"x\"\r\n"
        #expect(try input(#"{"$result":4}"#, table, .csv) == #""a,b\r\n1,\"x\"\r\n""#)
        #expect(failure(#"{"$result":4,"path":"0"}"#, "a\r\n", .csv)?.code == .noInput)
    }

    @Test func `bytes become frames, each once`() throws {
        let taken = #"[{"$result":4},{"$result":"load"},{"$result":4}]"#
        let order = try filled(#"{"kernel":"echo","input":\#(taken)}"#, "\u{0}ab", .bytes)
        #expect(text(order.body).contains(#"[{"$frame":3},{"$frame":4},{"$frame":3}]"#))
        #expect(order.frames.map(\.number) == [2, 3, 4])
        #expect(order.frames.dropFirst().allSatisfy { $0.bytes == [0, 97, 98] })
        let list = text(FrameList.joined([[1], [2, 3]]))
        let several = try filled(#"{"kernel":"echo","input":{"$result":4}}"#, list, .frames)
        #expect(text(several.body).contains(#"[{"$frame":3},{"$frame":4}]"#))
        #expect(several.frames.map(\.bytes) == [[9], [1], [2, 3]])
        #expect(failure(#"{"$result":4,"path":"0"}"#, list, .frames)?.code == .noInput)
    }

    @Test func `parameters of SQL keep their type`() throws {
        let row = #"{"rows":[[9007199254740993,2.5,"x",null,{"base64":"AP8="},{"real":"inf"}]]}"#
        let params = (0..<6).map { #"{"$result":"load","path":"rows.0.\#($0)"}"# }
        let body = #"{"sql":"select 1","params":[\#(params.joined(separator: ","))]}"#
        let order = order(body, .sql)
        let given = order.sources.map { GivenResult($0, format: .json, bytes: Array(row.utf8)) }
        guard case .sql(let work) = try Work(try order.filled(with: given, atMost: 10_000)) else {
            return
        }
        #expect(
            work.params
                == .list([
                    .integer(9_007_199_254_740_993), .real(2.5), .text("x"), .null,
                    .blob([0, 255]), .real(.infinity),
                ])
        )
        // Whoever only looks for what was done needs no values.
        var look = order
        look.phase = .look
        guard case .sql(let nothing) = try Work(look) else { return }
        #expect(nothing.params == .none)
        #expect(throws: FrameError.self) { try Work(order) }
    }

    @Test(arguments: [Order.Phase.look, .bury])
    func `whoever only looks for what was done needs no rows`(phase: Order.Phase) throws {
        var look = order(#"{"sql":"insert into t values (?)","each":{"$frame":2}}"#, .sql)
        look.frames = []
        #expect(throws: FrameError.self) { try Work(look) }
        look.phase = phase
        guard case .sql(let work) = try Work(look) else { return }
        #expect(work.each == nil)
    }

    @Test func `nothing else is put in, and the rest stays as it was`() throws {
        let body = #"{"kernel":"echo","name":{"$result":"load"},"input":{"result":"load"}}"#
        let order = try filled(body, "1")
        #expect(text(order.body) == body)
        #expect(order.sources.isEmpty)
        #expect(order.workDigest == self.order(body).workDigest)
    }

    @Test func `all that is put in is bounded`() throws {
        let two = #"{"kernel":"echo","input":[{"$result":4},{"$result":"load"}]}"#
        #expect(throws: Never.self) { try filled(two, "12345", limit: 10) }
        #expect(throws: Failure.tooMuchInput(limit: 9)) { try filled(two, "12345", limit: 9) }
        let many = Array(repeating: #"{"$result":4}"#, count: 2_000).joined(separator: ",")
        let deep = #"{"kernel":"echo","input":[\#(many)]}"#
        #expect(throws: Failure.tooMuchInput(limit: 1_000)) { try filled(deep, "1") }
    }

    @Test(arguments: ["", "1 2", #"1}"#, #"null,"parts":9"#, "[1", "{}}"])
    func `what calls itself JSON and is none is not put in`(result: String) {
        let taken = failure(#"{"$result":"load"}"#, result)
        #expect(taken?.code == .noInput && taken?.isPermanent == true)
        let message = taken?.message ?? ""
        #expect(message.hasPrefix(#"The result of "load": "#), "\(message)")
    }

    @Test func `a result that was not given is a failure`() {
        let order = order(#"{"kernel":"echo","input":{"$result":5}}"#)
        #expect(throws: Failure.self) { try order.filled(with: [], atMost: 10) }
    }
}
