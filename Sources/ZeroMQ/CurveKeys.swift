internal import CZeroMQ

/// The key by which one end of a CURVE connection is known: 32 bytes, written as 40 characters of
/// Z85 (ZeroMQ RFC 32). Anybody may see it.
public struct PublicKey: Hashable, Sendable {
    public static let byteCount = 32

    public let bytes: [UInt8]

    /// Nil unless there are 32 bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    /// Nil unless these are 40 characters of Z85.
    public init?(_ text: String) {
        guard let bytes = fromZ85(text) else { return nil }
        self.bytes = bytes
    }

    public var text: String { toZ85(bytes) }
}

/// The other half of a key, which proves who somebody is. It shows itself nowhere but in its file.
public struct SecretKey: Equatable, Sendable {
    let bytes: [UInt8]
    public let publicKey: PublicKey

    /// A new one, from the system's randomness.
    public init() throws(ZeroMQError) {
        var publicText = [CChar](repeating: 0, count: textBytes + 1)
        var secretText = publicText
        guard zmq_curve_keypair(&publicText, &secretText) == 0,
            let key = SecretKey(asString(secretText))
        else { throw ZeroMQError.last("make a key") }
        self = key
    }

    /// Nil unless these are 40 characters of Z85.
    public init?(_ text: String) {
        var publicText = [CChar](repeating: 0, count: textBytes + 1)
        guard let bytes = fromZ85(text), zmq_curve_public(&publicText, text) == 0,
            let publicKey = PublicKey(asString(publicText))
        else { return nil }
        self.bytes = bytes
        self.publicKey = publicKey
    }

    /// For the key's file alone.
    var text: String { toZ85(bytes) }
}

extension SecretKey: CustomStringConvertible, CustomReflectable {
    public var description: String { "a secret key" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

private let textBytes = PublicKey.byteCount / 4 * 5

private func fromZ85(_ text: String) -> [UInt8]? {
    // A zero would end the text early for libzmq.
    guard text.utf8.count == textBytes, !text.utf8.contains(0) else { return nil }
    var bytes = [UInt8](repeating: 0, count: PublicKey.byteCount)
    return zmq_z85_decode(&bytes, text) == nil ? nil : bytes
}

private func toZ85(_ bytes: [UInt8]) -> String {
    var text = [CChar](repeating: 0, count: textBytes + 1)
    zmq_z85_encode(&text, bytes, bytes.count)
    return asString(text)
}

private func asString(_ text: [CChar]) -> String {
    String(decoding: text.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
