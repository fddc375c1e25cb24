internal import Crypto
internal import JobWire

/// `digest`: the SHA-256 of a text's UTF-8 bytes or of a binary frame.
///
/// Input: `{"text": "abc"}` or `{"bytes": {"$frame": 2}}`. Output: `{"sha256": "…"}`, 64
/// hexadecimal digits in lower case.
///
/// Source of the algorithm: FIPS 180-4, as swift-crypto implements it.
struct DigestKernel: Kernel {
    let name = "digest"

    /// Hashed between two looks at the cancellation: less than 5 ms.
    private static let blockBytes = 1 << 20

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        let bytes = try subject(of: input)
        var hash = SHA256()
        var start = 0
        while start < bytes.count {
            try run.throwIfCancelled()
            let end = min(start + Self.blockBytes, bytes.count)
            bytes[start..<end].withUnsafeBytes { hash.update(bufferPointer: $0) }
            start = end
        }
        return .json(["sha256": .string(hexadecimal(hash.finalize()))])
    }

    private func subject(of input: KernelInput) throws(KernelError) -> [UInt8] {
        let fields = try input.fields(["text", "bytes"])
        guard fields.has("text") != fields.has("bytes") else {
            throw .badInput(
                field: nil,
                message: "The input must have exactly one of the fields \"text\" and \"bytes\"."
            )
        }
        if fields.has("bytes") { return try fields.frame("bytes") }
        return Array(try fields.string("text").utf8)
    }

    private func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
