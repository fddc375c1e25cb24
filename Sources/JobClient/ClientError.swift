public import JobCore
public import ZeroMQ

/// Why a client got no good answer.
public enum ClientError: Error, Equatable, Sendable {
    /// Nobody has answered at this endpoint, not even a ping.
    case noRunner(endpoint: String)
    /// The same, where keys were shown: who does not let us in does not say so.
    case notLetIn(endpoint: String)
    /// The runner answered that it will not do it.
    case refused(Refusal)
    /// A runner was there, but did not answer this, or ended while it was asked.
    case timedOut(service: String, endpoint: String)
    /// The answer is none of the protocol's; one phrase says why.
    case badReply(String)
    case zeroMQ(ZeroMQError)
    /// The runner at this endpoint tells of no events, or not where this client can hear them.
    case noEvents(endpoint: String)
    /// The task that asked was cancelled.
    case cancelled
    /// The client was closed.
    case closed
    /// The process has no descriptors left.
    case noDescriptors
    /// The system has no thread left.
    case noThread
}

extension ClientError: Explained {
    public var summary: String {
        switch self {
        case .noRunner(let endpoint): "No runner answers at \(endpoint)."
        case .notLetIn(let endpoint):
            "The runner did not answer at \(endpoint): it may not run, the server key may be "
                + "wrong, or this client's key is not among its clients."
        case .refused(let refusal): refusal.summary
        case .timedOut(let service, let endpoint):
            "The runner at \(endpoint) did not answer \(service) in time."
        case .badReply(let why): "The runner's answer cannot be read: \(why)."
        case .zeroMQ(let error): "ZeroMQ \(error)."
        case .noEvents(let endpoint): "The runner at \(endpoint) tells of no events here."
        case .cancelled: "The task that asked was cancelled."
        case .closed: "This client is closed."
        case .noDescriptors: "The process has no file descriptors left."
        case .noThread: "The system has no thread left."
        }
    }

    public var hint: String? {
        switch self {
        case .noRunner(let endpoint) where endpoint.hasPrefix("tcp://"):
            "Start one with `millrace serve`, or name another with --connect. If it asks for keys, "
                + "give --server-key and --secret-key."
        case .noRunner: "Start one with `millrace serve`, or name another with --connect."
        case .notLetIn: "Compare the keys with `curve` in the settings of the runner."
        case .refused(let refusal): refusal.hint
        case .timedOut("job.cancel", _), .timedOut("job.retry", _), .timedOut("job.delete", _):
            "It may have been done, or a part of it: look at the jobs before you try again."
        case .timedOut: "Try again; what was submitted with a key is not done twice."
        case .noEvents: "Name an endpoint as `events` in its settings."
        case .cancelled: "What it asked for may be done all the same."
        case .closed, .noDescriptors, .noThread: nil
        case .badReply: "Is the endpoint that of a runner of the same version?"
        case .zeroMQ: "An endpoint looks like tcp://127.0.0.1:5555 or ipc:///path/of/a.sock."
        }
    }
}

/// Makes libzmq's errors the client's.
func asClientError<Value: ~Copyable>(
    _ body: () throws(ZeroMQError) -> Value
) throws(ClientError) -> Value {
    do {
        return try body()
    } catch {
        throw .zeroMQ(error)
    }
}
