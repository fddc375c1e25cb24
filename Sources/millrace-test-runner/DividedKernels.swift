internal import Glibc
internal import JobRunner
internal import JobWire

/// `pieces`: divides `{"pieces": [piece, …]}` into its pieces, however many are asked for, and puts
/// together what they compute.
///
/// A piece is a number, which it computes; or `{"until": PATH}`, which waits for that file and
/// computes `true`; or `{"fails": n, "book": PATH}`, which fails n times, keeps count in that file,
/// and then computes `true`.
struct PiecesKernel: Kernel {
    let name = "pieces"

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        let piece = try input.json()
        if let path = piece["until"]?.stringValue {
            try run.wait(for: path)
            return .json(true)
        }
        guard let fails = piece["fails"]?.integerValue, let book = piece["book"]?.stringValue else {
            return .json(piece)
        }
        let attempt = Int64(note(in: book))
        if attempt <= fails { throw .failed("It failed in attempt \(attempt).") }
        return .json(true)
    }

    /// - Returns: How many notes there are now.
    private func note(in path: String) -> Int {
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        defer { close(file) }
        _ = write(file, ".", 1)
        return Int(lseek(file, 0, SEEK_END))
    }

    func split(_ input: KernelInput, into count: Int) throws(KernelError) -> [KernelInput]? {
        try input.json()["pieces"]?.arrayValue?.map { KernelInput($0) }
    }

    func reduce(
        _ outputs: [KernelOutput],
        of input: KernelInput
    ) throws(KernelError) -> KernelOutput {
        var whole: [JSON] = []
        for output in outputs { whole.append(try output.json()) }
        return .json(.array(whole))
    }
}

extension KernelRun {
    /// Waits until there is a file.
    fileprivate func wait(for path: String) throws(KernelError) {
        while access(path, F_OK) != 0 { try sleep(for: .milliseconds(1)) }
    }
}

/// `bytes`: adds the bytes of a frame, `{"bytes": {"$frame": 2}}`; all parts have the same frame,
/// and each its share of it, `"from"` and `"to"`. With `"until": PATH` they wait for that file.
struct BytesKernel: Kernel {
    let name = "bytes"

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        let fields = try input.fields(["bytes", "until", "from", "to"])
        if fields.has("until") { try run.wait(for: try fields.string("until")) }
        let bytes = try fields.frame("bytes")
        let from = fields.has("from") ? try fields.integer("from", in: 0...bytes.count) : 0
        let to = fields.has("to") ? try fields.integer("to", in: from...bytes.count) : bytes.count
        return .json(.integer(bytes[from..<to].reduce(0) { $0 &+ Int64($1) }))
    }

    func split(_ input: KernelInput, into count: Int) throws(KernelError) -> [KernelInput]? {
        let bytes = try input.fields(["bytes", "until"]).frame("bytes").count
        let size = max(1, (bytes + count - 1) / count)
        guard case .object(let whole) = try input.json() else { return nil }
        return stride(from: 0, to: bytes, by: size).map { from in
            var part = whole
            _ = part.append("from", .integer(Int64(from)))
            _ = part.append("to", .integer(Int64(min(from + size, bytes))))
            return KernelInput(.object(part), frames: input.frames)
        }
    }

    func reduce(
        _ outputs: [KernelOutput],
        of input: KernelInput
    ) throws(KernelError) -> KernelOutput {
        var sum: Int64 = 0
        for output in outputs { sum &+= try output.json().integerValue ?? 0 }
        return .json(.integer(sum))
    }
}
