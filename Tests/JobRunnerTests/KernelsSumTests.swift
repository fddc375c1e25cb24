import JobTesting
import JobWire
import Testing

@testable import JobRunner

@Suite("sum") struct KernelsSumTests {
    static func sum(_ numbers: [Double]) throws -> Double {
        let output = try compute(SumKernel(), ["numbers": .array(numbers.map { .real($0) })])
        #expect(output["count"]?.integerValue == Int64(numbers.count))
        return try #require(output["sum"]?.realValue)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let input: String
        let output: String
        var testDescription: String { input }
    }

    @Test(arguments: [
        Case(input: #"{"numbers":[]}"#, output: #"{"sum":0,"count":0}"#),
        Case(input: #"{"numbers":[1,2,3]}"#, output: #"{"sum":6,"count":3}"#),
        Case(input: " {\n\"numbers\" : [ 1 ,\t-2 ] } ", output: #"{"sum":-1,"count":2}"#),
        Case(input: #"{"partial":false,"numbers":[7,-0]}"#, output: #"{"sum":7.0,"count":2}"#),
        Case(input: #"{"numbers":[0.1,0.2,1E-1]}"#, output: #"{"sum":0.4,"count":3}"#),
        Case(
            input: #"{"numbers":[9223372036854775807,-9223372036854775808]}"#,
            output: #"{"sum":-1,"count":2}"#
        ),
        // Beyond 64 bits on the way, not at the end.
        Case(
            input: #"{"numbers":[9223372036854775807,1,-2]}"#,
            output: #"{"sum":9223372036854775806,"count":3}"#
        ),
        // An integer that no double can hold takes part exactly.
        Case(
            input: #"{"numbers":[9223372036854775807,-9223372036854775806,0.5]}"#,
            output: #"{"sum":1.5,"count":3}"#
        ),
        Case(
            input: #"{"numbers":[123456789012345678901e-2]}"#,
            output: #"{"sum":1.2345678901234568e+18,"count":1}"#
        ),
    ])
    func `small sums are what a person expects`(_ expected: Case) {
        #expect(complaint(of: SumKernel(), expected.input) == expected.output)
    }

    @Test func `reals are rounded once, at the end`() throws {
        let tiny = Double.leastNonzeroMagnitude
        let largest = Double.greatestFiniteMagnitude
        #expect(try Self.sum([1e16, 1, -1e16]) == 1)
        #expect(try Self.sum(Array(repeating: 0.1, count: 10)) == 1)
        #expect(try Self.sum([1e308, 1e308, -1e308]) == 1e308)
        #expect(try Self.sum([largest, -largest, tiny]) == tiny)
        #expect(try Self.sum([-tiny, -tiny]) == -2 * tiny)
        #expect(try Self.sum([.leastNormalMagnitude, -tiny]) == .leastNormalMagnitude.nextDown)
        #expect(try Self.sum([1, 0x1p-53]) == 1)  // A tie, to even.
        #expect(try Self.sum([1, 0x1p-53, tiny]) == 1.nextUp)
        #expect(try Self.sum([1.nextUp, 0x1p-53]) == 1.nextUp.nextUp)
        #expect(try Self.sum([-1, -0x1p-53, -tiny]) == -(1.nextUp))
        #expect(try Self.sum([largest, 0x1p969]) == largest)  // Less than half a step.
        #expect(throws: KernelError.self) { try Self.sum([largest, 0x1p970]) }
    }

    /// Multiples of 2^-20 below 2^63, so that 128 bits hold the exact sum.
    @Test(arguments: [UInt64](1...50))
    func `the sum is that of whole numbers of 128 bits`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var exact: Int128 = 0
        let numbers = (0..<Int.random(in: 1...3_000, using: &random)).map { _ in
            let units = Int64.random(in: -(1 << 53)...(1 << 53), using: &random)
            let shift = Int.random(in: 0...30, using: &random)
            exact += Int128(units) << Int128(shift)
            return Double(units) * Double(1 << shift) * 0x1p-20
        }
        #expect(try Self.sum(numbers) == Double(exact) * 0x1p-20)
    }

    /// Numbers of all sizes, most of which cancel each other out.
    @Test(arguments: [UInt64](1...50))
    func `the sum is that of Shewchuk's partial sums`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var numbers: [Double] = []
        for _ in 0..<Int.random(in: 1...200, using: &random) {
            let exponent = Int.random(in: -1_074...960, using: &random)
            let number = Double(
                sign: Bool.random(using: &random) ? .plus : .minus,
                exponent: exponent,
                significand: Double.random(in: 1..<2, using: &random)
            )
            numbers.append(number)
            if Int.random(in: 0..<4, using: &random) > 0 { numbers.append(-number) }
        }
        numbers.shuffle(using: &random)
        #expect(try Self.sum(numbers) == sumOfPartials(numbers))
    }

    @Test(arguments: [UInt64](1...20))
    func `every number of parts gives the same sum`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let hasReals = seed % 2 == 0
        let numbers = (0..<Int.random(in: 0...100, using: &random)).map { _ -> JSON in
            if hasReals, Bool.random(using: &random) {
                return .real(Double.random(in: -1...1, using: &random) * 0x1p900)
            }
            return .integer(Int64.random(in: -(1 << 55)...(1 << 55), using: &random))
        }
        let usual = KernelInput(["numbers": .array(numbers)])
        let unusual = KernelInput(["partial": false, "numbers": .array(numbers)])
        let whole = try SumKernel().compute(usual, KernelRun())
        for count in [1, 2, 3, Int.random(in: 4...1_024, using: &random), 1_024] {
            #expect(try compute(SumKernel(), usual, parts: count) == whole, "\(count) parts")
            #expect(try compute(SumKernel(), unusual, parts: count) == whole, "\(count) parts")
        }
    }

    @Test func `parts may overflow where the whole does not`() throws {
        let largest = JSON.integer(.max)
        let integers = KernelInput(["numbers": [largest, largest, .integer(.min), .integer(.min)]])
        let reals = KernelInput(["numbers": [1.7e308, 1.7e308, -1.7e308, -1.7e308, 0.25]])
        for count in 1...6 {
            let sum = try compute(SumKernel(), integers, parts: count).json()["sum"]
            #expect(sum == .integer(-2))
            #expect(try compute(SumKernel(), reals, parts: count).json()["sum"] == .real(0.25))
        }
    }

    @Test func `what is no partial sum cannot be put together`() {
        let outputs: [JSON] = [
            [:], ["integers": "x", "reals": [], "count": 1],
            ["integers": "0", "reals": [], "count": -1],
            ["integers": "9223372036854775809", "reals": [], "count": 1],
            ["integers": "0", "reals": [1, 2], "count": 2],
            ["integers": "0", "reals": .array(Array(repeating: -1, count: 67)), "count": 2],
        ]
        for output in outputs {
            #expect(throws: KernelError.failed("A part's output is no partial sum.")) {
                try SumKernel().reduce([.json(output)], of: KernelInput(["numbers": []]))
            }
        }
    }
}

/// Exact unless a sum on the way overflows; the last step rounds correctly.
///
/// Source: Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric
/// predicates", 1997; the rounding of ties as in Python's `math.fsum`.
private func sumOfPartials(_ numbers: [Double]) -> Double {
    var partials: [Double] = []
    for number in numbers {
        var x = number
        var kept: [Double] = []
        for partial in partials {
            let (large, small) = abs(x) < abs(partial) ? (partial, x) : (x, partial)
            let high = large + small
            let low = small - (high - large)
            if low != 0 { kept.append(low) }
            x = high
        }
        partials = kept + [x]
    }
    var sum = partials.popLast() ?? 0
    var low = 0.0
    while low == 0, let next = partials.popLast() {
        let high = sum + next
        low = next - (high - sum)
        sum = high
    }
    if let next = partials.last, (low < 0) == (next < 0), low != 0 {
        let doubled = low * 2
        let moved = sum + doubled
        if doubled == moved - sum { sum = moved }
    }
    return sum
}
