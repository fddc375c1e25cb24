import JobCore
import JobWire
import Testing

/// Requests of every service, and messages that are none.
struct RequestTests {
    @Test func `each service without arguments is heard with and without a body`() {
        let services: [(String, Request)] = [
            ("sys.ping", .ping), ("sys.info", .about), ("sys.stats", .statistics),
            ("sys.drain", .drain), ("queue.list", .listQueues(nil)),
            ("queue.pause", .pauseQueue(nil)), ("queue.resume", .resumeQueue(nil)),
            ("job.list", .list(JobFilter(), after: nil, limit: 100)),
        ]
        for (name, expected) in services {
            #expect(request(name) == expected)
            #expect(request(name, #"{"other":1}"#) == expected, "unknown members are ignored")
            let bare = Ear(catalog).hear(message(name))
            guard case .request(expected, _) = bare else {
                Issue.record("\(name) without a body: \(bare)")
                continue
            }
        }
    }

    @Test func `ids are read alone and in lists`() {
        let one = JobID(rawValue: 7)
        let two = [one, JobID(rawValue: 8)]
        #expect(request("job.show", #"{"id":7}"#) == .show([one], isBatch: false))
        #expect(request("job.show", #"{"ids":[7,8]}"#) == .show(two, isBatch: true))
        #expect(request("job.show", #"{"ids":[7,8,7,8,8]}"#) == .show(two, isBatch: true))
        #expect(request("job.wait", #"{"ids":[7,8],"wait_ms":9}"#) == .wait(two, waitMs: 9))
        #expect(request("job.wait", #"{"id":7}"#) == .wait([one], waitMs: 0))
        #expect(request("job.cancel", #"{"id":7}"#) == .cancel(.ids([one])))
        #expect(request("job.retry", #"{"ids":[7,8]}"#) == .retry(.ids(two)))
        #expect(outcome("job.show", "{}") == "422 missing_field id")
        #expect(outcome("job.show", #"{"id":0}"#) == "422 out_of_bounds id")
        #expect(outcome("job.show", #"{"id":1.0}"#) == "422 wrong_type id")
        #expect(outcome("job.show", #"{"ids":[]}"#) == "422 out_of_bounds ids")
        #expect(outcome("job.show", #"{"ids":[1,"2"]}"#) == "422 wrong_type ids[1]")
        #expect(outcome("job.show", #"{"id":1,"ids":[1]}"#) == "422 conflicting_fields id")
        #expect(outcome("job.show", #"{"ids":3}"#) == "422 wrong_type ids")
    }

    @Test func `as many ids as allowed are taken, and no more`() {
        func body(_ count: Int) -> String {
            #"{"ids":[\#((1...count).map(String.init).joined(separator: ","))]}"#
        }
        #expect(outcome("job.show", body(10_000)) == "ok")
        #expect(outcome("job.show", body(10_001)) == "422 out_of_bounds ids")
        #expect(outcome("job.show", body(20_000)) == "413 too_large -")
    }

    @Test func `parts of results are asked for within bounds`() {
        let id = JobID(rawValue: 7)
        #expect(request("job.result", #"{"id":7}"#) == .result(id, range: .whole, waitMs: nil))
        #expect(
            request("job.result", #"{"id":7,"offset":5,"limit":6,"wait_ms":0}"#)
                == .result(id, range: ByteRange(offset: 5, limit: 6), waitMs: 0)
        )
        let bounds = [
            #""wait_ms":60000"#: "ok", #""wait_ms":60001"#: "422 out_of_bounds wait_ms",
            #""wait_ms":-1"#: "422 out_of_bounds wait_ms",
            #""wait_ms":"1""#: "422 wrong_type wait_ms", #""offset":0"#: "ok",
            #""offset":-1"#: "422 out_of_bounds offset", #""limit":1"#: "ok",
            #""limit":0"#: "422 out_of_bounds limit", #""limit":16777216"#: "ok",
            #""limit":16777217"#: "422 out_of_bounds limit",
            #""offset":9223372036854775807"#: "ok",
            #""offset":9223372036854775808"#: "422 out_of_bounds offset",
        ]
        for (fields, expected) in bounds {
            #expect(outcome("job.result", #"{"id":7,\#(fields)}"#) == expected, "\(fields)")
        }
        #expect(outcome("job.result", "{}") == "422 missing_field id")
    }

    @Test func `lists are filtered and paged`() throws {
        let queue = try #require(QueueName(rawValue: "night"))
        let filter = JobFilter(state: .failed, queue: queue, kind: .sql)
        let fields = #""state":"failed","queue":"night","kind":"sql""#
        #expect(
            request("job.list", "{\(fields),\"after\":5,\"limit\":1000}")
                == .list(filter, after: JobID(rawValue: 5), limit: 1_000)
        )
        #expect(request("job.delete", "{\(fields)}") == .delete(.filter(filter)))
        #expect(request("queue.pause", #"{"queue":"night"}"#) == .pauseQueue(queue))
        #expect(outcome("job.list", #"{"limit":1001}"#) == "422 out_of_bounds limit")
        #expect(outcome("job.list", #"{"limit":0}"#) == "422 out_of_bounds limit")
        #expect(outcome("job.list", #"{"state":"done"}"#) == "422 invalid_value state")
        #expect(outcome("job.list", #"{"kind":7}"#) == "422 wrong_type kind")
        #expect(outcome("queue.list", #"{"queue":"a b"}"#) == "422 invalid_value queue")
        #expect(request("job.list", #"{"after":null}"#) != nil, "as a last page's next")
    }

    @Test(arguments: ["job.cancel", "job.retry", "job.delete"])
    func `all jobs are never meant by leaving something out`(service: String) {
        #expect(outcome(service, "") == "422 missing_field id")
        #expect(outcome(service, #"{"stat":"failed"}"#) == "422 missing_field id")
        #expect(outcome(service, #"{"id":1,"state":"failed"}"#) == "422 conflicting_fields id")
    }

    @Test func `the management interface knows what is served`() {
        #expect(request("mmi.service", "job.submit") == .isServed(true))
        #expect(request("mmi.service", "mmi.service") == .isServed(true))
        #expect(request("mmi.service", "nonsense") == .isServed(false))
        #expect(request("mmi.service", "echo") == .isServed(true))
        #expect(request("mmi.service", "titanic.close") == .isServed(true))
        #expect(request("mmi.service", "titanic.open") == .isServed(false))
        #expect(request("mmi.service") == .isServed(false))
        #expect(refusal("mmi.service", "mmi.workers")?.status == 501)
        #expect(refusal("mmi.workers", "")?.status == 501)
    }

    @Test func `unknown services are answered with near names`() {
        #expect(outcome("job.submitt", "{}") == "404 unknown_service -")
        #expect(refusal("job.submitt", "{}")?.hint == "Did you mean job.submit?")
        #expect(outcome("", "{}") == "404 unknown_service -")
        #expect(refusal("ecko", "{}")?.hint == "Did you mean echo?")
        #expect(outcome("titanic.open", "{}") == "404 unknown_service -")
    }

    @Test func `a refusal carries the caller's address, service and name for the request`() {
        let bodies = [
            #"{"request":"r","sqll":"x"}"#, #"{"sqll":"x","request":"r"}"#,
            #"{"priority":1e99,"request":"r"}"#, #"{"jobs":[{"a":1}],"request":"r"}"#,
            #"{"request":"r","sql":"select"#,
        ]
        for body in bodies {
            guard case .refused(let message) = hear("job.submit", body) else {
                Issue.record("accepted: \(body)")
                continue
            }
            let service = Array("job.submit".utf8)
            let client = ClientID(rawValue: address)
            #expect(message.to == Caller(client: client, service: service, request: "r"))
        }
    }

    @Test func `a request's name is a string of bounded length`() {
        let longest = String(repeating: "x", count: 200)
        guard case .request(.ping, let caller) = hear("sys.ping", "{\"request\":\"\(longest)\"}")
        else {
            Issue.record("refused")
            return
        }
        #expect(caller.request == longest)
        #expect(
            outcome("sys.ping", "{\"request\":\"\(longest)x\"}") == "422 out_of_bounds request"
        )
        #expect(outcome("sys.ping", #"{"request":7}"#) == "422 wrong_type request")
        #expect(outcome("job.submit", job(#""request":7"#)) == "422 wrong_type request")
    }

    @Test func `what has no address and service is dropped`() {
        let ear = Ear(catalog)
        let name = Array("MDPC01".utf8)
        let service = Array("sys.ping".utf8)
        let strays: [[[UInt8]]] = [
            [], [address], [address, []], [address, [], name], [address, name, service],
            [address, name, service, []], [[], [], name, service],
            [address, [], Array("MDPW01".utf8), service], [address, [1], name, service],
            [address, [], [], service],
        ]
        for frames in strays { #expect(ear.hear(frames) == .dropped) }
        let endless = message(String(repeating: "x", count: 256), Array("{}".utf8))
        #expect(ear.hear(endless) == .dropped, "Every reply would repeat it.")
    }

    @Test func `another version of the protocol is refused`() {
        let heard = Ear(catalog).hear(message("sys.ping", [], to: "MDPC02"))
        guard case .refused(let message) = heard, case .refused(let refusal) = message.reply else {
            Issue.record("\(heard)")
            return
        }
        #expect(refusal.status == 400)
        #expect(refusal.code == "unknown_protocol")
    }

    @Test func `the whole message is bounded in frames and bytes`() {
        var small = catalog
        small.limits.messageBytes = 64
        small.limits.messageFrames = 6
        func code(_ frames: [[UInt8]]) -> String? {
            guard case .refused(let message) = Ear(small).hear(frames),
                case .refused(let refusal) = message.reply
            else { return nil }
            return refusal.code
        }
        let fixed = message("sys.ping").reduce(0) { $0 + $1.count }
        let space = [UInt8](repeating: 0x20, count: 64 - fixed - 2) + Array("{}".utf8)
        #expect(code(message("sys.ping", space)) == nil)
        #expect(code(message("sys.ping", space + [0x20])) == "too_large")
        #expect(code(message("sys.ping", [], [])) == "unused_frame")
        #expect(code(message("sys.ping", [], [], [])) == "too_large")
    }

    @Test func `large messages are known before they are read`() throws {
        let small = try #require(Envelope(message("job.submit", Array("{}".utf8)), from: .local))
        #expect(!small.isLarge)
        let spaces = [UInt8](repeating: 0x20, count: 1 << 16)
        #expect(try #require(Envelope(message("job.submit", spaces), from: .local)).isLarge)
        let frames = message("job.submit", [], [UInt8](repeating: 0, count: 1 << 20))
        #expect(try #require(Envelope(frames, from: .local)).isLarge)
    }

    @Test func `what is no JSON object is refused with its place`() {
        #expect(outcome("job.list", "[1]") == "422 wrong_type -")
        #expect(outcome("job.submit", "[1]") == "422 wrong_type -")
        #expect(outcome("job.submit", "") == "400 malformed_json -")
        #expect(outcome("job.list", "{") == "400 malformed_json -")
        let deep = String(repeating: "[", count: 65)
        #expect(outcome("job.submit", "{\"input\":\(deep)") == "413 too_large -")
        let message = refusal("job.submit", "{\"sql\":\n \"a\" x}")?.message
        #expect(message?.contains("line 2, column 6") == true, "\(message ?? "")")
    }
}
