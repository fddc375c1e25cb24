import JobCore
import JobTesting
import JobWire
import Testing

@testable import JobRunner

@Suite("primes") struct KernelsPrimesTests {
    static func primes(_ input: JSON) throws -> [JSON?] {
        let output = try compute(PrimesKernel(), input)
        return [output["count"], output["largest"]]
    }

    /// Source: OEIS A006880 and A003618.
    @Test(
        arguments: [
            (10, 4, 7), (100, 25, 97), (1_000, 168, 997), (10_000, 1_229, 9_973),
            (100_000, 9_592, 99_991), (1_000_000, 78_498, 999_983),
            (10_000_000, 664_579, 9_999_991),
        ] as [(Int64, Int64, Int64)]
    )
    func `the primes below a power of ten are counted`(
        below: Int64,
        count: Int64,
        largest: Int64
    ) throws {
        #expect(
            try Self.primes(["below": .integer(below)]) == [.integer(count), .integer(largest)]
        )
    }

    @Test func `small ranges are those of trial division`() throws {
        for from in 0...70 {
            for below in from...130 {
                let primes = (from..<below).filter { isPrime($0) }
                let found = try Self.primes([
                    "from": .integer(Int64(from)), "below": .integer(Int64(below)),
                ])
                let largest = primes.last.map { JSON.integer(Int64($0)) } ?? .null
                #expect(found == [.integer(Int64(primes.count)), largest], "\(from)..<\(below)")
            }
        }
    }

    @Test(arguments: [UInt64](1...20))
    func `ranges anywhere are those of trial division`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let from = Int.random(
            in: 0...(1 << Int.random(in: 10...39, using: &random)),
            using: &random
        )
        let below = from + Int.random(in: 1...200, using: &random)
        let primes = (from..<below).filter { isPrime($0) }
        let found = try Self.primes([
            "from": .integer(Int64(from)), "below": .integer(Int64(below)),
        ])
        let largest = primes.last.map { JSON.integer(Int64($0)) } ?? .null
        #expect(found == [.integer(Int64(primes.count)), largest], "\(from)..<\(below)")
    }

    @Test(arguments: [0, 1, 2, 3, 30, 5_000, 600_000] as [Int64])
    func `every number of parts gives the same primes`(below: Int64) throws {
        var random = SeededGenerator(seed: UInt64(below))
        let input = KernelInput(["below": .integer(below)])
        let whole = try PrimesKernel().compute(input, KernelRun())
        for count in [1, 2, 3, 7, Int.random(in: 8...1_023, using: &random), 1_024] {
            #expect(try compute(PrimesKernel(), input, parts: count) == whole, "\(count) parts")
        }
    }

    @Test func `outputs that are none of ours cannot be put together`() {
        for output: JSON in [[:], ["count": -1, "largest": nil], ["count": 1]] {
            #expect(throws: KernelError.self) {
                try PrimesKernel().reduce([.json(output)], of: KernelInput(["below": 10]))
            }
        }
    }

    private func isPrime(_ number: Int) -> Bool {
        guard number > 3 else { return number > 1 }
        if number % 2 == 0 { return false }
        var divisor = 3
        while divisor * divisor <= number {
            if number % divisor == 0 { return false }
            divisor += 2
        }
        return true
    }
}

@Suite("count") struct KernelsCountTests {
    @Test(arguments: [0, 1, 1_023, 1_048_577] as [Int64])
    func `counts to the end, in any number of parts`(to: Int64) throws {
        let input = KernelInput(["to": .integer(to)])
        for count in [1, 2, 3, 1_000, 1_024] {
            let output = try compute(CountKernel(), input, parts: count)
            #expect(String(decoding: output.bytes, as: UTF8.self) == #"{"count":\#(to)}"#)
        }
    }

    @Test func `parts are even, and none is empty`() {
        #expect(evenShares(of: 10, into: 4) == [3, 3, 2, 2])
        #expect(evenShares(of: 3, into: 1_024) == [1, 1, 1])
        #expect(evenShares(of: 0, into: 4) == [])
        #expect(evenShares(of: 4, into: 0) == [])
    }

    @Test func `outputs that are none of ours cannot be put together`() {
        let most = KernelOutput.json(["count": 9_007_199_254_740_992])
        for outputs in [[.json([:])], [.json(["count": -1])], [most, most], [.bytes([])]] {
            #expect(throws: KernelError.self) {
                try CountKernel().reduce(outputs, of: KernelInput(["to": 10]))
            }
        }
    }
}

@Suite("digest and echo") struct KernelsDigestTests {
    /// Source: the examples to FIPS 180-4, and `sha256sum` for the empty text.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func `the digest of a text is that of its bytes`(text: String, sha256: String) throws {
        #expect(try compute(DigestKernel(), ["text": .string(text)]) == ["sha256": .string(sha256)])
        let frame = KernelInput(["bytes": ["$frame": 3]], frames: [3: Array(text.utf8)])
        let output = try DigestKernel().compute(frame, KernelRun())
        #expect(try output.json() == ["sha256": .string(sha256)])
    }

    /// Source: FIPS 180-4's million times "a"; `head -c 3145729 /dev/zero | sha256sum`.
    @Test(
        arguments: [
            (97, 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
            (0, 3_145_729, "5983281b51c767c831104f52c95e4075f27e6f4fa8dd0526e3929f79176a1217"),
        ] as [(UInt8, Int, String)]
    )
    func `a large frame is digested block by block`(byte: UInt8, count: Int, sha256: String) throws
    {
        let frames = [2: [UInt8](repeating: byte, count: count)]
        let input = KernelInput(["bytes": ["$frame": 2]], frames: frames)
        let output = try DigestKernel().compute(input, KernelRun())
        #expect(try output.json() == ["sha256": .string(sha256)])
    }

    @Test(arguments: [
        "null", " 7 ", "{ \"a\" : [ 1.50 , \"\\u00e9\" ] }\n", "{\"$frame\": 2, \"more\": 1}",
    ])
    func `an echo is its input, byte for byte`(text: String) throws {
        let input = KernelInput(raw: Array(text.utf8), frames: [2: [0xFF]])
        let output = try EchoKernel().compute(input, KernelRun())
        #expect(output == KernelOutput(Array(text.utf8), format: .json))
    }

    @Test func `an echo of a frame is the frame`() throws {
        let input = KernelInput(["$frame": 2], frames: [2: [0xFF, 0x00]])
        #expect(try EchoKernel().compute(input, KernelRun()) == .bytes([0xFF, 0x00]))
    }
}
