internal import JobCore

/// Titanic's ids as clients know them: 32 hexadecimal digits, the token's before the number's.
extension TitanicID {
    private static let digits = 32

    /// - Returns: Nil for what is no such id. Both cases of letters are read.
    init?(_ text: [UInt8]) {
        guard text.count == Self.digits, text.allSatisfy(isHexadecimal),
            let token = UInt64(hexadecimal: text.prefix(Self.digits / 2)),
            let number = UInt64(hexadecimal: text.suffix(Self.digits / 2)),
            let job = Int64(exactly: number)
        else { return nil }
        self.init(job: JobID(rawValue: job), token: Int64(bitPattern: token))
    }

    /// In lower case.
    var text: [UInt8] {
        UInt64(bitPattern: token).hexadecimal + UInt64(bitPattern: job.rawValue).hexadecimal
    }
}

/// Not even a sign, which numbers may have.
private func isHexadecimal(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
        UInt8(ascii: "A")...UInt8(ascii: "F"):
        true
    default: false
    }
}

extension UInt64 {
    fileprivate init?(hexadecimal text: ArraySlice<UInt8>) {
        self.init(String(decoding: text, as: UTF8.self), radix: 16)
    }

    /// 16 digits.
    fileprivate var hexadecimal: [UInt8] {
        let text = String(self, radix: 16).utf8
        return Array(repeating: UInt8(ascii: "0"), count: 16 - text.count) + text
    }
}
