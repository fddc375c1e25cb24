/// The services of the protocol, by the names that clients use; kernels are called by theirs.
enum Service: String, CaseIterable {
    case submit = "job.submit"
    case show = "job.show"
    case result = "job.result"
    case wait = "job.wait"
    case list = "job.list"
    case cancel = "job.cancel"
    case retry = "job.retry"
    case delete = "job.delete"
    case listQueues = "queue.list"
    case pauseQueue = "queue.pause"
    case resumeQueue = "queue.resume"
    case ping = "sys.ping"
    case about = "sys.info"
    case statistics = "sys.stats"
    case drain = "sys.drain"
    case isServed = "mmi.service"
    case titanicRequest = "titanic.request"
    case titanicReply = "titanic.reply"
    case titanicClose = "titanic.close"
}

/// The first frame after the delimiter: Majordomo's client protocol, version 0.1.
///
/// Source: ZeroMQ RFC 7/MDP.
let clientProtocol = Array("MDPC01".utf8)
