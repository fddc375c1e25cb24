import JobRunner

/// `words`: counts the words of a text.
///
/// Input: `{"text": "to be or not to be"}`. Output: `{"words": 6}`.
struct Words: Kernel {
    let name = "words"

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        let text = try input.fields(["text"]).string("text")
        return .json(["words": .integer(Int64(text.split(whereSeparator: \.isWhitespace).count))])
    }
}

@main struct Embedding {
    static func main() async throws {
        let directory = CommandLine.arguments.dropFirst().first ?? ".build/words"
        var runner = Runner(.embedded(in: directory))
        try runner.register(Words())

        let mill = try await runner.start()
        let hamlet = NewJob(.kernel("words", input: ["text": "to be or not to be"]))
        let id = try await mill.submit(hamlet)  // On disk from here on.
        if let result = try await mill.result(of: id) {
            print(result.end.state, String(decoding: result.bytes, as: UTF8.self))
        }
        try await mill.stop()
    }
}
