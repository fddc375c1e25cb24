import JobCore
import JobTesting
import Testing

@testable import JobWire

@Suite("Frames of external workers") struct ExternalTests {
    private static let address = OrderAddress(
        job: JobID(rawValue: 12),
        attempt: Attempt(rawValue: 3),
        token: 0xAB
    )
    private static let written = "12:3:00000000000000ab"

    private func word(_ frames: [UInt8]...) -> ExternalWord? {
        ExternalEnvelope([[7], [], Array("MDPW01".utf8)] + frames)?.word()
    }

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    // MARK: What they say

    @Test func `a worker says which kernel it runs, that it is there, and that it goes`() {
        #expect(word([1], bytes("resize_2-x")) == .ready(kernel: "resize_2-x"))
        #expect(word([4]) == .heartbeat)
        #expect(word([5]) == .disconnect)
        #expect(ExternalEnvelope([[7], []])?.peer == ClientID(rawValue: [7]))
    }

    @Test func `a reply is a result: JSON, bytes, or frames`() {
        func outcome(_ body: [UInt8]...) -> Outcome? {
            let frames = [[7], [], bytes("MDPW01"), [3], bytes(Self.written), []] + body
            guard case .reply(Self.address, let outcome)? = ExternalEnvelope(frames)?.word() else {
                return nil
            }
            return outcome
        }
        #expect(outcome(bytes("{\"a\":1}")) == Outcome(format: .json, bytes: bytes("{\"a\":1}")))
        #expect(outcome([0xFF]) == Outcome(format: .bytes, bytes: [0xFF]))
        #expect(outcome() == Outcome(format: .bytes, bytes: []))
        let list = FrameList.joined([[1], [], [2, 3]])
        #expect(outcome([1], [], [2, 3]) == Outcome(format: .frames, bytes: list))
    }

    @Test func `a failure is a sentence, of bounded length, and may be for good`() {
        let address = bytes(Self.written)
        #expect(
            word([6], address, [], bytes("No ink."))
                == .failure(Self.address, Failure(.kernelError, "No ink."))
        )
        #expect(
            word([6], address, [], bytes("No."), bytes("permanent"))
                == .failure(Self.address, Failure(.kernelError, "No.", isPermanent: true))
        )
        let long = [UInt8](repeating: 0x61, count: 100_000)
        guard case .failure(_, let failure)? = word([6], address, [], long) else {
            Issue.record("no failure")
            return
        }
        #expect(failure.message.unicodeScalars.count == Failure.sentenceLength + 1)
    }

    @Test func `everything else is unreadable`() {
        let address = bytes(Self.written)
        let unreadable: [[[UInt8]]] = [
            [], [[]], [[1]], [[1], []], [[1], bytes("Resize")], [[1], bytes("a.b")],
            [[1], bytes(String(repeating: "a", count: 65))], [[1], bytes("a"), bytes("b")],
            [[2], address, [], []], [[3]], [[3], address], [[3], address, [1]],
            [[3], [], []], [[3], bytes("12:3:ab"), []], [[3], bytes("12:0:00000000000000ab"), []],
            [[3], bytes("+12:3:00000000000000ab"), []], [[3], bytes("12:3:00000000000000AB"), []],
            [[3], bytes("9223372036854775808:3:00000000000000ab"), []],
            [[3], [UInt8](repeating: 0x31, count: 1_000_000), []],
            [[4], []], [[5], []], [[6], address, []], [[6], address, [], [1], bytes("perhaps")],
            [[6], address, [], [1], [2], [3]], [[7]], [[0]], [[1, 1], bytes("a")],
        ]
        for frames in unreadable {
            let envelope = ExternalEnvelope([[7], [], bytes("MDPW01")] + frames)
            #expect(envelope?.word() == .unreadable, "\(frames)")
        }
        for head in [[[7]], [[7], [1], bytes("MDPW01")], [[7], [], bytes("MDPW02")]] {
            #expect(ExternalEnvelope(head + [[4]])?.word() == .unreadable)
        }
        #expect(ExternalEnvelope([]) == nil)
        #expect(ExternalEnvelope([[], [], bytes("MDPW01"), [4]]) == nil, "Nobody said it.")
        let longest = String(repeating: "a", count: 64)
        #expect(word([1], bytes(longest)) == .ready(kernel: longest))
    }

    @Test func `a result that was cut off fails its job`() {
        let frames = [[7], [], bytes("MDPW01"), [3], bytes(Self.written), []]
        let tooLarge = ExternalWord.failure(Self.address, .resultTooLarge(mostBytes: 9))
        #expect(ExternalEnvelope(frames)?.wordTooLarge(most: 9) == tooLarge)
        #expect(ExternalEnvelope([[7]])?.wordTooLarge(most: 9) == .unreadable)
    }

    @Test func `damaged messages never trap, and an address is read as it was written`() {
        var random = SeededGenerator(seed: .random(in: .min ... .max))
        let whole: [[[UInt8]]] = [
            [[1], bytes("shout")], [[3], bytes(Self.written), [], bytes("{}")], [[4]], [[5]],
            [[6], bytes(Self.written), [], bytes("No."), bytes("permanent")],
        ]
        var readable = 0
        for _ in 0..<20_000 {
            var frames = [[7], [], bytes("MDPW01")] + (whole.randomElement(using: &random) ?? [])
            for _ in 0..<Int.random(in: 0...2, using: &random) { damage(&frames, &random) }
            guard let word = ExternalEnvelope(frames)?.word(), word != .unreadable else { continue }
            readable += 1
            switch word {
            case .reply(let address, _), .failure(let address, _):
                #expect(frames[4] == address.frame)
            case .ready(let kernel): #expect(KernelName.isFit(kernel))
            case .heartbeat, .disconnect, .unreadable: break
            }
        }
        #expect(readable > 2_000)
    }

    private func damage(_ frames: inout [[UInt8]], _ random: inout SeededGenerator) {
        guard let place = frames.indices.randomElement(using: &random) else { return }
        switch Int.random(in: 0..<5, using: &random) {
        case 0: frames.remove(at: place)
        case 1: frames.insert([UInt8.random(in: 0...8, using: &random)], at: place)
        case 2: frames[place] = []
        default:
            guard let byte = frames[place].indices.randomElement(using: &random) else { return }
            frames[place][byte] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
    }

    // MARK: What they are told

    private func request(_ body: String, _ frames: [Spec.Frame] = []) throws -> [[UInt8]] {
        let order = ExternalMessage.Word.request(Self.address, body: bytes(body), frames: frames)
        return try JobWire.frames(for: ExternalMessage(to: ClientID(rawValue: [7]), order))
    }

    @Test func `an order is the input and its frames, a call's the frames alone`() throws {
        let head = [[7], [], bytes("MDPW01"), [2], bytes(Self.written), []]
        let frames = [Spec.Frame(number: 3, bytes: [3]), Spec.Frame(number: 2, bytes: [2])]
        #expect(
            try request(#"{"kernel":"k","input":{"a": {"$frame":2}}}"#, frames)
                == head + [bytes(#"{"a": {"$frame":2}}"#), [2], [3]]
        )
        #expect(try request(#"{"kernel":"k"}"#) == head + [bytes("null")])
        #expect(try request(#"{"kernel":"k","call":true}"#, frames) == head + [[2], [3]])
        #expect(throws: FrameError.self) { try request("{") }
        let beat = ExternalMessage(to: ClientID(rawValue: [7]), .heartbeat)
        #expect(try JobWire.frames(for: beat) == [[7], [], bytes("MDPW01"), [4]])
    }

    // MARK: Their jobs

    private static let catalog = Catalog(kernels: ["sum"], externalKernels: ["shout"])

    private func submission(_ text: String) throws(Refusal) -> Submission {
        try JobReader(Self.catalog).job(Array(text.utf8), frames: [])
    }

    @Test func `a job of an external kernel is known as one`() throws {
        let job = try submission(#"{"kernel":"shout","input":{"text":"a"}}"#)
        #expect(job.spec.skill == "shout" && !job.spec.isPure)
        #expect(try submission(#"{"kernel":"sum","input":{"numbers":[]}}"#).spec.skill == nil)
        #expect(throws: Refusal.self) { try submission(#"{"kernel":"whisper"}"#) }
        let ear = Ear(Self.catalog)
        guard case .request(.call(let call, _), _) = ear.hear(message("shout", [1])),
            case .request(.titanicRequest(let titanic), _) = ear.hear(
                message("titanic.request", bytes("shout"), [1])
            )
        else {
            Issue.record("no call")
            return
        }
        #expect(call.spec.skill == "shout" && titanic.spec.skill == "shout")
        guard case .request(let asked, _) = ear.hear(message("mmi.service", bytes("shout"))) else {
            return
        }
        #expect(asked == .isAttached(kernel: "shout"))
    }

    @Test func `such a job has no parts`() throws {
        do {
            _ = try submission(#"{"kernel":"shout","parts":2}"#)
            Issue.record("It is taken.")
        } catch {
            #expect(error.status == 422 && error.field == "parts", "\(error)")
        }
        #expect(try submission(#"{"kernel":"shout","parts":1}"#).spec.parts == 1)
        let taking = #"{"kernel":"shout","after":[1],"input":{"a":{"$result":1}}}"#
        #expect(try submission(taking).after.count == 1)
    }
}
