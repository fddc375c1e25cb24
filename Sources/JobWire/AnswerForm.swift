/// How a service is answered, as its name tells.
enum AnswerForm {
    /// Three digits, a JSON object, and a result's bytes.
    case ours
    /// Three digits and nothing else (ZeroMQ RFC 8/MMI).
    case management
    /// Three digits of its own, and frames (ZeroMQ RFC 9/TSP).
    case titanic
    /// The frames of a result alone, as a Majordomo worker gives them.
    case call

    /// Names of kernels have no dot, and all others have one.
    init(of service: [UInt8]) {
        self =
            if service.starts(with: managementPrefix) {
                .management
            } else if service.starts(with: titanicPrefix) {
                .titanic
            } else {
                service.contains(UInt8(ascii: ".")) ? .ours : .call
            }
    }
}

private let managementPrefix = Array("mmi.".utf8)
private let titanicPrefix = Array("titanic.".utf8)
