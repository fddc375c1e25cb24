import JobCore
import JobTesting
import Testing

@testable import JobWire

/// What clients of Majordomo and Titanic say: kernels by their names, and ids of 32 digits.
struct MajordomoTests {
    private func call(_ service: String, _ frames: [[UInt8]]) -> (Submission, CallDigest)? {
        let heard = Ear(catalog).hear([address, [], clientProtocol, Array(service.utf8)] + frames)
        guard case .request(.call(let job, let digest), let caller) = heard else { return nil }
        #expect(caller.request == nil)
        return (job, digest)
    }

    private func titanic(_ service: String, _ frames: [[UInt8]]) -> Heard {
        Ear(catalog).hear([address, [], clientProtocol, Array(service.utf8)] + frames)
    }

    // MARK: Direct calls

    @Test func `a kernel's name with frames behind it is a job of just these frames`() throws {
        let frames: [[UInt8]] = [Array(#"{"request":"r","sql":1}"#.utf8), [], [0, 0xFF], [7]]
        let (job, _) = try #require(call("echo", frames))
        #expect(job.spec.kind == .compute)
        #expect(job.spec.frames.map(\.bytes) == frames)
        #expect(job.spec.frames.map(\.number) == [1, 2, 3, 4])
        #expect(job.spec.titanicToken == nil && job.key == nil && job.start == .now)
        #expect(job.spec.timeoutMs == catalog.limits.timeoutMs)
        let work = try ComputeWork(job.spec.body, frames: job.spec.frames)
        #expect(work.kernel == "echo" && work.isCall)
        let usual = try submission(#"{"kernel":"echo","input":1}"#)
        #expect(usual.spec.sort == job.spec.sort, "Jobs of one kernel take alike.")
        #expect(try !ComputeWork(usual.spec.body).isCall)
    }

    @Test func `a call without a body has one empty frame`() throws {
        let (bare, one) = try #require(call("echo", []))
        let (empty, two) = try #require(call("echo", [[]]))
        #expect(bare == empty && one == two)
        #expect(bare.spec.frames == [Spec.Frame(number: 1, bytes: [])])
    }

    @Test func `calls are the same when kernel and frames are`() throws {
        let calls: [(String, [[UInt8]])] = [
            ("echo", [[1, 2], [3]]), ("echo", [[1], [2, 3]]), ("echo", [[1, 2, 3]]),
            ("echo", [[1, 2], [3], []]), ("echo", [[], [1, 2], [3]]), ("sum", [[1, 2], [3]]),
        ]
        let digests = try calls.map { try #require(call($0.0, $0.1)).1 }
        #expect(Set(digests).count == calls.count)
        #expect(digests.allSatisfy { $0.high != $0.low })
        #expect(try calls.map { try #require(call($0.0, $0.1)).1 } == digests)
    }

    @Test func `a call is bounded as every message is`() {
        let most = catalog.limits.messageFrames - 4
        #expect(call("echo", Array(repeating: [1], count: most)) != nil)
        #expect(call("echo", Array(repeating: [1], count: most + 1)) == nil)
        #expect(outcome("echo", "", frames: Array(repeating: [], count: most)) == "413 too_large -")
    }

    // MARK: Titanic

    @Test func `a Titanic request is a job with a token of its own`() throws {
        let frames: [[UInt8]] = [Array("echo".utf8), [1], [], [2]]
        guard case .request(.titanicRequest(let one), _) = titanic("titanic.request", frames),
            case .request(.titanicRequest(let two), _) = titanic("titanic.request", frames)
        else {
            Issue.record("refused")
            return
        }
        #expect(one.spec.frames.map(\.bytes) == [[1], [], [2]])
        #expect(one.spec.titanicToken != nil && one.spec.titanicToken != two.spec.titanicToken)
        guard case .request(.titanicRequest(let bare), _) = titanic("titanic.request", [frames[0]])
        else {
            Issue.record("refused")
            return
        }
        #expect(bare.spec.frames.map(\.bytes) == [[]])
    }

    @Test func `a Titanic request for no kernel is refused`() {
        for name in ["", "ecko", "titanic.request", "job.submit", "mmi.service", "\u{0}"] {
            #expect(outcome("titanic.request", name) == "404 unknown_service -")
        }
        #expect(refusal("titanic.request", "ecko")?.hint == "Did you mean echo?")
    }

    @Test func `an id is read as it was written`() throws {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<1_000 {
            let job = JobID(rawValue: .random(in: 0 ... .max, using: &random))
            let token = Int64.random(in: .min ... .max, using: &random)
            let id = TitanicID(job: job, token: token)
            #expect(id.text.count == 32)
            #expect(TitanicID(id.text) == id)
            #expect(TitanicID(Array(text(id.text).uppercased().utf8)) == id)
        }
        let known = TitanicID(job: JobID(rawValue: 255), token: -1)
        #expect(text(known.text) == "ffffffffffffffff00000000000000ff")
    }

    private static let noIDs = [
        "", "0", String(repeating: "0", count: 31), String(repeating: "0", count: 33),
        "+" + String(repeating: "0", count: 31), "0000000000000000-000000000000001",
        "ffffffffffffffff8000000000000000", "0000000000000000ffffffffffffffff",
        "g0000000000000000000000000000000", "00000000 00000000000000000000001",
        "00000000-0000-0000-0000-00000000", "0000000000000000000000000000000\u{0}",
    ]

    @Test(arguments: noIDs)
    func `what can be no id is unknown, and closed as nothing`(text: String) {
        #expect(TitanicID(Array(text.utf8)) == nil)
        #expect(outcome("titanic.reply", text) == "404 unknown_job -")
        #expect(request("titanic.close", text) == .titanicClose(nil))
    }

    @Test func `an id comes alone`() {
        let id = TitanicID(job: JobID(rawValue: 7), token: 9)
        #expect(request("titanic.reply", text(id.text)) == .titanicReply(id))
        #expect(request("titanic.close", text(id.text)) == .titanicClose(id))
        for service in ["titanic.reply", "titanic.close"] {
            #expect(outcome(service, text(id.text), frames: [[]]) == "422 unused_frame -")
        }
        #expect(titanic("titanic.close", []) != .dropped)
    }
}
