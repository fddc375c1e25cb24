import JobCore
import JobWire
import Testing

/// What clients of Majordomo and Titanic hear, frame by frame.
struct MajordomoReplyTests {
    private let id = JobID(rawValue: 7)

    /// What stands behind the service.
    private func said(_ reply: Reply, to service: String) -> [[UInt8]] {
        let client = ClientID(rawValue: address)
        let caller = Caller(client: client, service: Array(service.utf8))
        let message = Message(to: caller, reply)
        let frames = JobWire.frames(for: message, now: Timestamp(rawValue: 1))
        #expect(frames.prefix(4).map(text) == [text(address), "", "MDPC01", service])
        return Array(frames.dropFirst(4))
    }

    private func result(_ bytes: [UInt8], _ format: ResultFormat = .bytes) -> Reply {
        let end = JobEnd(id: id, state: .succeeded, attempt: Attempt(rawValue: 1), failure: nil)
        let head = ResultHead(format: format, totalBytes: Int64(bytes.count))
        return .result(JobResult(end: end, head: head, bytes: bytes))
    }

    private var failed: Reply {
        let failure = Failure(.kernelError, "No.", isPermanent: true)
        let attempt = Attempt(rawValue: 1)
        return .result(
            JobResult(end: JobEnd(id: id, state: .failed, attempt: attempt, failure: failure))
        )
    }

    private let frames: [[UInt8]] = [[1], [], [2, 3]]
    private let failedJSON =
        #"{"id":7,"state":"failed","attempt":1,"error":{"code":"kernel_error","message":"No."}}"#

    // MARK: Direct calls

    @Test func `a call that succeeded is answered with its frames and nothing else`() {
        #expect(said(result([1, 2]), to: "echo") == [[1, 2]])
        #expect(said(result([]), to: "echo") == [[]])
        #expect(said(result(Array("{}".utf8), .json), to: "echo").map(text) == ["{}"])
        #expect(said(result(FrameList.joined(frames), .frames), to: "echo") == frames)
        #expect(said(result([], .frames), to: "echo") == [[]], "A reply has a body.")
        #expect(said(result([1, 2], .frames), to: "echo") == [[1, 2]], "No list, but what it is.")
    }

    @Test func `a call that failed or was refused is answered with digits and why`() {
        #expect(said(failed, to: "echo").map(text) == ["500", failedJSON])
        let refusal = Refusal(429, "too_many_calls", "No.")
        #expect(
            said(.refused(refusal), to: "echo").map(text)
                == ["429", #"{"error":{"code":"too_many_calls","message":"No."}}"#]
        )
        #expect(
            said(.pending(id, .succeeded, retryAfterMs: 5), to: "echo").map(text)
                == ["300", #"{"id":7,"state":"succeeded","retry_after_ms":5}"#]
        )
    }

    // MARK: Titanic

    @Test func `Titanic has the frames of its protocol`() {
        let stored = said(
            .titanicID(TitanicID(job: id, token: 1)),
            to: "titanic.request"
        )
        #expect(stored.map(text) == ["200", "00000000000000010000000000000007"])
        let reply = "titanic.reply"
        let several = said(result(FrameList.joined(frames), .frames), to: reply)
        #expect(several == [Array("200".utf8)] + frames)
        #expect(said(result([9]), to: reply) == [Array("200".utf8), [9]])
        #expect(said(result([], .frames), to: reply).map(text) == ["200"])
        #expect(said(.pending(id, .queued, retryAfterMs: 5), to: reply).map(text) == ["300"])
        #expect(said(failed, to: reply).map(text) == ["500", failedJSON])
        #expect(said(.count(1), to: "titanic.close").map(text) == ["200"])
        #expect(said(.count(0), to: "titanic.close").map(text) == ["200"])
    }

    @Test(arguments: [
        (400, 400), (403, 400), (404, 400), (409, 400), (410, 400), (413, 400), (422, 400),
        (429, 500), (500, 500), (501, 500), (503, 500),
    ])
    func `Titanic tells of whatever is refused by one of its two codes`(status: Int, code: Int) {
        let refused = Reply.refused(Refusal(status, "x", "No."))
        let why = #"{"error":{"code":"x","message":"No."}}"#
        for service in ["titanic.request", "titanic.reply"] {
            #expect(said(refused, to: service).map(text) == ["\(code)", why])
        }
        #expect(said(refused, to: "titanic.close").map(text) == ["\(code)"])
    }

    @Test func `a result too large for one reply is no unknown id`() {
        var refusal = Refusal(413, "read_in_pieces", "No.")
        refusal.totalBytes = 9
        #expect(said(.refused(refusal), to: "titanic.reply").first.map(text) == "500")
    }

    @Test func `taking a long list of frames apart is not for the broker's thread`() {
        let long = [UInt8](repeating: 0, count: 300 << 10)
        #expect(result(FrameList.joined([long, long]), .frames).isLong)
        #expect(!result(long).isLong)
        #expect(!result(FrameList.joined([[1], [2]]), .frames).isLong)
    }
}
