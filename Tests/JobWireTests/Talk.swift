import JobCore
import JobWire

/// What the tests of requests share: a catalog, and messages as a ROUTER gives them.
let catalog = Catalog(
    kernels: ["echo", "primes", "sum"],
    databases: ["archive": .read, "sales": .write],
    commands: Programs(["gzip": "/usr/bin/gzip", "sort": "/usr/bin/sort"])
)

let address: [UInt8] = [0, 1, 2, 3, 4]

func message(_ service: String, _ body: [UInt8]..., to protocolName: String = "MDPC01") -> [[UInt8]]
{
    [address, [], Array(protocolName.utf8), Array(service.utf8)] + body
}

func hear(_ service: String, _ text: String, frames: [[UInt8]] = []) -> Heard {
    Ear(catalog).hear(message(service, Array(text.utf8)) + frames)
}

func request(_ service: String, _ text: String = "") -> Request? {
    guard case .request(let request, _) = hear(service, text) else { return nil }
    return request
}

func refusal(_ service: String, _ text: String, frames: [[UInt8]] = []) -> Refusal? {
    guard case .refused(let message) = hear(service, text, frames: frames),
        case .refused(let refusal) = message.reply
    else { return nil }
    return refusal
}

/// `code field` of the refusal, or `ok`.
func outcome(_ service: String, _ text: String, frames: [[UInt8]] = []) -> String {
    guard let refusal = refusal(service, text, frames: frames) else { return "ok" }
    return "\(refusal.status) \(refusal.code) \(refusal.field ?? "-")"
}

func submission(_ text: String, frames: [[UInt8]] = []) throws -> Submission {
    try JobReader(catalog).job(Array(text.utf8), frames: frames)
}

/// A job that is valid, with further fields.
func job(_ fields: String) -> String {
    fields.isEmpty ? #"{"sql":"select 1"}"# : #"{"sql":"select 1",\#(fields)}"#
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
