internal import JobWire

/// `sum`: adds numbers, exactly.
///
/// Input: `{"numbers": [1, 2.5, -3]}`. Output: `{"sum": 0.5, "count": 3}`. Integers alone have an
/// integer as their sum, and are refused when it is outside of 64 bits. With a real among them, the
/// sum is the double nearest to the exact one: rounded once, whatever the order of the numbers.
///
/// Divides. A part's input has the field `"partial": true` as well; its output is then not rounded:
/// `integers` (the integers' sum as decimal digits in a string), `reals` (the exact sum of the
/// reals in digits of 32 bits as `ExactSum` has them, empty without reals) and `count`.
struct SumKernel: Kernel {
    let name = "sum"

    /// Numbers between two looks at the cancellation: less than a millisecond.
    private static let blockNumbers = 1 << 12

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        let (tally, isPartial) = try tally(of: input, run)
        return isPartial ? tally.partialOutput : try tally.output()
    }

    func split(_ input: KernelInput, into count: Int) throws(KernelError) -> [KernelInput]? {
        var text = input.raw
        var places = places(text)
        if places == nil {
            text = try rewritten(input)
            places = self.places(text)
        }
        guard let (starts, end, isPartial) = places else { throw Self.unreadable }
        let shares = evenShares(of: starts.count, into: count)
        guard shares.count > 1, !isPartial else { return nil }
        var first = 0
        return shares.map { share in
            let next = first + share
            let numbers = text[starts[first]..<(next < starts.count ? starts[next] : end)]
            first = next
            return part(numbers)
        }
    }

    func reduce(
        _ outputs: [KernelOutput],
        of input: KernelInput
    ) throws(KernelError) -> KernelOutput {
        var whole = Tally()
        for output in outputs {
            guard let part = Tally(partial: try output.json()), whole.add(part) else {
                throw .failed("A part's output is no partial sum.")
            }
        }
        return try whole.output()
    }

    private func tally(
        of input: KernelInput,
        _ run: KernelRun
    ) throws(KernelError) -> (Tally, isPartial: Bool) {
        if let result = try tally(input.raw, run) { return result }
        guard let result = try tally(rewritten(input), run) else { throw Self.unreadable }
        return result
    }

    /// - Returns: Nil when the text is not in the form that `NumberReader` knows.
    private func tally(
        _ text: [UInt8],
        _ run: KernelRun
    ) throws(KernelError) -> (Tally, isPartial: Bool)? {
        guard var reader = NumberReader(text) else { return nil }
        var tally = Tally()
        while reader.advance() {
            guard let number = reader.number() else { return nil }
            tally.add(number)
            if tally.count % Self.blockNumbers == 0 { try run.throwIfCancelled() }
        }
        return reader.ending().map { (tally, $0) }
    }

    /// Where each number starts and the last one ends; nil like `tally`.
    private func places(_ text: [UInt8]) -> (starts: [Int], end: Int, isPartial: Bool)? {
        guard var reader = NumberReader(text) else { return nil }
        var starts: [Int] = []
        var end = 0
        while reader.advance() {
            starts.append(reader.position)
            guard reader.number() != nil else { return nil }
            end = reader.position
        }
        return reader.ending().map { (starts, end, $0) }
    }

    /// The numbers may have a comma and white space at their end.
    private func part(_ numbers: ArraySlice<UInt8>) -> KernelInput {
        let isDigit = { (byte: UInt8) in byte &- UInt8(ascii: "0") < 10 }
        let end = numbers.lastIndex(where: isDigit).map { $0 + 1 } ?? numbers.endIndex
        var text = Array("{\"numbers\":[".utf8)
        text += numbers[..<end]
        text += Array("],\"partial\":true}".utf8)
        return KernelInput(raw: text)
    }

    /// The input checked by the JSON parser, in the form that `NumberReader` knows.
    private func rewritten(_ input: KernelInput) throws(KernelError) -> [UInt8] {
        let fields = try input.fields(["numbers", "partial"])
        let isPartial = fields.has("partial") ? try fields.boolean("partial") : false
        var writer = JSONWriter(capacity: input.raw.count)
        writer.beginObject()
        writer.key("numbers")
        writer.beginArray()
        for (place, element) in try fields.array("numbers").enumerated() {
            switch element {
            case .integer, .real: writer.value(element)
            case .bigNumber:
                throw .badInput(
                    field: "numbers[\(place)]",
                    message: "It is beyond 64 bits.",
                    hint: "Integers go from -2^63 to 2^63 - 1, reals up to about 1.8e308."
                )
            default:
                throw .badInput(
                    field: "numbers[\(place)]",
                    message: "It must be a number, not \(element.kindName)."
                )
            }
        }
        writer.endArray()
        writer.member("partial", .bool(isPartial))
        writer.endObject()
        return writer.finish()
    }

    /// Cannot be: what is rewritten is in the usual form.
    private static let unreadable = KernelError.failed("The numbers could not be read.")
}
