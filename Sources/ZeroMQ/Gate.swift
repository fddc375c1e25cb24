/// Decides which keys may come in: answers ZAP requests (ZeroMQ RFC 27) from a table that never
/// changes.
///
/// Its owner binds a router to `endpoint` before any guarded socket is bound, and sends what it
/// answers.
public struct Gate: Sendable {
    /// Where libzmq asks, in the context of the socket that was connected to.
    public static let endpoint = "inproc://zeromq.zap.01"
    /// What guarded sockets ask for. Requests about any other are refused.
    static let domain = "millrace"

    private let names: [PublicKey: String]
    private let nameInTheClear: String?

    /// - Parameters:
    ///   - names: Who has which key. Names have no zero bytes.
    ///   - nameInTheClear: Of peers at endpoints without CURVE; they are refused when nil.
    public init(_ names: [PublicKey: String], inTheClear nameInTheClear: String? = nil) {
        self.names = names
        self.nameInTheClear = nameInTheClear
    }

    /// What became of a request.
    public struct Answer: Equatable, Sendable {
        /// For the router, the routing id first.
        public let frames: [[UInt8]]
        /// One phrase, when nobody was let in.
        public let refusal: String?
    }

    /// Reads the frames as a router gives them.
    ///
    /// - Returns: Nil when they are not of the shape of a request, so that nobody can be answered.
    public func answer(_ request: [[UInt8]]) -> Answer? {
        guard request.count >= 4, request[1].isEmpty else { return nil }
        let (verdict, text, name, refusal) = judge(Array(request.dropFirst(2)))
        let reply = [version, request[3], Array(verdict.utf8), Array(text.utf8), Array(name.utf8)]
        return Answer(frames: [request[0], []] + reply + [[]], refusal: refusal)
    }

    private typealias Verdict = (code: String, text: String, name: String, refusal: String?)

    /// Takes the frames from the version on: version, request id, domain, address, routing id,
    /// mechanism, credentials.
    private func judge(_ frames: [[UInt8]]) -> Verdict {
        guard frames[0] == version, frames.count >= 6 else {
            return ("500", "Malformed", "", "a request of ZAP could not be read")
        }
        let address = String(decoding: frames[3], as: UTF8.self)
        guard frames[2] == Array(Self.domain.utf8) else {
            return ("400", "No access", "", "the request of ZAP was for another domain")
        }
        // libzmq asks about the mechanism of the endpoint; a peer cannot choose another.
        switch (String(decoding: frames[5], as: UTF8.self), frames.count) {
        case ("NULL", 6):
            if let nameInTheClear { return ("200", "OK", nameInTheClear, nil) }
            return ("400", "No access", "", "no key was shown from \(address)")
        case ("CURVE", 7):
            if let name = PublicKey(bytes: frames[6]).flatMap({ names[$0] }) {
                return ("200", "OK", name, nil)
            }
            return ("400", "No access", "", "the key shown from \(address) is nobody's")
        default: return ("400", "No access", "", "an unknown way of showing a key was tried")
        }
    }
}

private let version = Array("1.0".utf8)
