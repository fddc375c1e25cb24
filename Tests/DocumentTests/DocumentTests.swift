internal import Foundation
internal import JobTesting
internal import Testing

/// What the documents say is tried, so that they stay true.
@Suite("Documents") struct DocumentTests {
    static let documents =
        ["README.md", "jobs/README.md"]
        + names(in: "Sources/JobRunner/JobRunner.docc", ending: ".md")

    /// Those that are files of jobs: the folder is a program of its own, and a CSV is read with the
    /// one that names it.
    static let examples = names(in: "jobs/examples", ending: "").filter {
        $0.contains(".") && !$0.hasSuffix(".csv") && !$0.hasSuffix(".py")
    }

    private static func names(in folder: String, ending: String) -> [String] {
        let found = try? FileManager.default.contentsOfDirectory(
            atPath: Document.root + "/" + folder
        )
        return (found ?? []).filter { $0.hasSuffix(ending) }.sorted().map { folder + "/" + $0 }
    }

    @Test(arguments: documents)
    func `what a document shows works as shown`(path: String) throws {
        let document = try Document(path: path)
        guard !document.blocks.isEmpty else { return }
        let workshop = try Workshop()
        for block in document.blocks {
            #expect(throws: Never.self, "\(path):\(block.line)") { try workshop.attempt(block) }
        }
    }

    @Test(arguments: documents)
    func `a document links only to what exists`(path: String) throws {
        let text = try String(contentsOfFile: Document.root + "/" + path, encoding: .utf8)
        let folder = URL(filePath: Document.root + "/" + path).deletingLastPathComponent()
        for link in text.matches(of: /\]\(([^):#]+)\)/) {
            let target = folder.appending(path: String(link.1)).path()
            #expect(FileManager.default.fileExists(atPath: target), "\(link.1)")
        }
        for link in text.matches(of: /<doc:(\w+)>/) {
            let target = folder.appending(path: "\(link.1).md").path()
            #expect(FileManager.default.fileExists(atPath: target), "\(link.1)")
        }
    }

    @Test func `the README fits on three pages`() throws {
        let text = try String(contentsOfFile: Document.root + "/README.md", encoding: .utf8)
        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count <= 151)
    }

    @Test func `every kind of file is among the examples`() {
        let endings = Set(Self.examples.map { $0.split(separator: ".").last.map(String.init) })
        #expect(endings.isSuperset(of: ["sql", "json", "jsonl", "yaml"]))
    }

    @Test func `a CSV among the examples is named by one of them`() throws {
        let texts = try Self.examples.map {
            try String(contentsOfFile: Document.root + "/" + $0, encoding: .utf8)
        }
        let names = Self.names(in: "jobs/examples", ending: ".csv").map { URL(filePath: $0) }
        #expect(!names.isEmpty)
        for name in names.map(\.lastPathComponent) {
            #expect(texts.contains { $0.contains("each: \(name)") }, "\(name)")
        }
    }

    @Test(arguments: examples)
    func `an example has nothing wrong`(path: String) throws {
        let directory = try TemporaryDirectory()
        let child = try ChildProcess(
            RunnerProcess.built("millrace"),
            ["check", "--database", "sales=sales.db:write", Document.root + "/" + path],
            environment: RunnerProcess.environment,
            directory: directory.path
        )
        #expect(try child.waitForEnd() == 0, "\(child.errors)")
    }
}

/// Examples that are more than one job.
@Suite("Examples") struct ExampleTests {
    @Test func `jobs that come after each other take what was made before`() throws {
        var options = RunnerProcess.Options()
        options.databases = ["sales=\(try SampleDatabase.path())"]
        let runner = try RunnerProcess(options)
        try FileManager.default.copyItem(
            atPath: Document.root + "/jobs/examples/after.yaml",
            toPath: runner.spool + "/.after.yaml"
        )
        try FileManager.default.moveItem(
            atPath: runner.spool + "/.after.yaml",
            toPath: runner.spool + "/after.yaml"
        )
        let path = runner.spool + "/results/after.yaml.json"
        let found = try eventually("the results are there") {
            FileManager.default.contents(atPath: path)
        }
        let text = String(decoding: found, as: UTF8.self)
        #expect(text.ranges(of: #""state": "succeeded""#).count == 5, "\(text)")
        #expect(text.contains(/"Dear [^"]+, thank you for [0-9]+ orders in [0-9]{4}-[0-9]{2}\."/))
    }
}

/// What the deploy scripts put in place.
@Suite("Deployed settings") struct DeployedSettingsTests {
    @Test(arguments: ["service.yaml", "millrace.example.yaml"])
    func `settings that are shipped have nothing wrong`(name: String) throws {
        let directory = try TemporaryDirectory()
        let child = try ChildProcess(
            RunnerProcess.built("millrace"),
            ["check", "--settings", Document.root + "/deploy/" + name],
            environment: RunnerProcess.environment,
            directory: directory.path
        )
        #expect(try child.waitForEnd() == 0, "\(child.errors)")
    }
}

/// The reader of documents itself.
@Suite("Reading documents") struct ReadingTests {
    @Test(arguments: [
        ("a\n", "a\n", true),
        ("a\n", "b\n", false),
        ("a\nb\n", "a\n", false),
        ("id: 17,\n", "id: …,\n", true),
        ("id: 17\n", "id: …,\n", false),
        ("abc\n", "…b…\n", true),
        ("aba\n", "ab…ba\n", false),
    ])
    func `an ellipsis stands for anything within a line`(
        text: String,
        pattern: String,
        agree: Bool
    ) {
        #expect(agrees(text, with: pattern) == agree)
    }
}
