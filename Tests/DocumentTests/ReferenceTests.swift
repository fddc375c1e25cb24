internal import Foundation
internal import JobCore
internal import JobRunner
internal import Testing

@testable internal import JobWire

/// What the documents list is compared with what the program has.
@Suite("References") struct ReferenceTests {
    private func page(_ name: String) throws -> String {
        let path = Document.root + "/Sources/JobRunner/JobRunner.docc/\(name).md"
        return try String(contentsOfFile: path, encoding: .utf8)
    }

    @Test func `every limit stands with its default and bounds`() throws {
        let page = try page("Settings")
        for limit in Limits.settable {
            let (low, high) = (limit.range.lowerBound, limit.range.upperBound)
            let row =
                "| `\(limit.name)` | \(grouped(limit.get(Limits()))) "
                + "| \(grouped(low)) to \(grouped(high)) |"
            #expect(page.contains(row), "\(row)")
        }
    }

    @Test func `every other setting stands with its default and bounds`() throws {
        let page = try page("Settings")
        let defaults = Settings(cores: 1)
        let endpoints = defaults.listen.map { "`\($0)`" }.joined(separator: ", ")
        let rows = [
            "| `state` | `\(defaults.stateDirectory)` |",
            "| `listen` | \(endpoints) |",
            "| `events` | `\(defaults.events[0])` |",
            "| `worker_listen` | none |",
            "| `external_kernels` | none | up to \(Limits.externalKernels) names",
            "| `spool` | `\(defaults.spoolDirectory)` |",
            "| `workers` | one for each core | \(bounds(Limits.workers)) |",
            "| `express` | \(defaults.express) | true or false |",
            "| `nice` | \(defaults.nice) | \(bounds(Settings.niceValues)) |",
            "| `drain_ms` | \(grouped(defaults.drainMs)) | \(bounds(Settings.drains)) |",
            "| `stuck_ms` | \(grouped(defaults.stuckMs)) | \(bounds(Settings.stucks)) |",
            "| `databases` | none |", "| `curve.secret_key` | none |", "| `curve.clients` | none |",
            "| `keep_succeeded_ms` | \(grouped(defaults.retention.succeededMs)) "
                + "| \(bounds(Retention.bounds)) |",
            "| `keep_failed_ms` | \(grouped(defaults.retention.failedMs)) "
                + "| \(bounds(Retention.bounds)) |",
            "| `kernel_processes` | \(defaults.kernelProcesses) | true or false |",
            "| `kernel_memory_bytes` | \(grouped(defaults.kernelMemoryBytes)) "
                + "| \(bounds(Settings.kernelMemories)) |",
            "| `databases` | none |", "| `commands` | none |",
            "| `command_memory_bytes` | \(grouped(defaults.commandMemoryBytes)) "
                + "| \(bounds(Settings.commandMemories)) |",
        ]
        for row in rows { #expect(page.contains(row), "\(row)") }
    }

    @Test func `what the unit forbids is said where the service is explained`() throws {
        let unit = try String(
            contentsOfFile: Document.root + "/deploy/millrace.service",
            encoding: .utf8
        )
        let page = try page("Operations")
        for setting in ["IPAddressDeny=any", "MemoryMax"] {
            #expect(unit.contains(setting) && page.contains(setting), "\(setting)")
        }
    }

    @Test func `every service, kernel, field and code is named`() throws {
        let page = try page("Protocol")
        let names =
            Service.allCases.map(\.rawValue) + KernelRegistry.standard.names + JobField.known
            + Failure.Code.allCases.map(\.rawValue)
        for name in names { #expect(page.contains(name), "\(name)") }
    }

    @Test func `a client in Python may say every field of a job`() throws {
        let path = Document.root + "/Sources/clients/python/millrace.py"
        let fields = try String(contentsOfFile: path, encoding: .utf8)
            .components(separatedBy: "class JobFields")[1].components(separatedBy: "class ")[0]
        for field in JobField.known { #expect(fields.contains("\n    \(field): "), "\(field)") }
    }

    @Test func `every code of a refusal stands in the row of its digits`() throws {
        let (protocolPage, operations) = (try page("Protocol"), try page("Operations"))
        var codes = try sources().flatMap { source in
            source.matches(of: /Refusal\(\s*(\d{3}),\s*"(\w+)"/).map { ($0.1, $0.2) }
        }
        // Those of the store, whose digits depend on whether it heals.
        let writer = try source("JobRunner/Writer/WriterThread.swift")
        codes += writer.matches(of: /case [.\w, ]+: "(\w+)"/).map { code in
            (code.1 == "store_unfit" ? "500" : "503", code.1)
        }
        #expect(codes.count > 20)
        for (digits, code) in codes {
            let row = protocolPage.split(separator: "\n").first { $0.hasPrefix("| \(digits) |") }
            #expect(row?.contains("`\(code)`") == true, "\(digits) \(code)")
            guard ["429", "500", "503"].contains(digits) else { continue }
            #expect(operations.contains("| \(digits) | `\(code)` |"), "\(digits) \(code)")
        }
    }

    @Test func `the service waits for a stop, and starts nobody in vain`() throws {
        let path = Document.root + "/deploy/millrace.service"
        let unit = try String(contentsOfFile: path, encoding: .utf8)
        let seconds = try #require(unit.firstMatch(of: /\nTimeoutStopSec=(\d+)\n/)?.1)
        let settings = Settings(cores: 1)
        #expect((Int64(seconds) ?? 0) * 1_000 > settings.drainMs + settings.stuckMs)
        let found = unit.firstMatch(of: /\nRestartPreventExitStatus=(\d+) (\d+)\n/)
        let codes = try #require(found)
        #expect(try source("JobRunner/Writer/WriterStart.swift").contains("= \(codes.1)\n"))
        #expect(
            try source("millrace/ExitCodes.swift").contains("wrongSettings = ExitCode(\(codes.2))")
        )
    }

    @Test func `what the unit keeps from the network is told, and how to let it in`() throws {
        let path = Document.root + "/deploy/millrace.service"
        let unit = try String(contentsOfFile: path, encoding: .utf8)
        let page = try page("Operations")
        for line in unit.split(separator: "\n") where line.hasPrefix("IPAddressDeny=") {
            #expect(page.contains("`\(line)`"))
        }
        #expect(page.contains("IPAddressAllow=") && page.contains("chown millrace"))
    }

    @Test func `every exit code stands in the table`() throws {
        let page = try page("Operations")
        let client = try source("millrace/ExitCodes.swift").matches(of: /ExitCode\((\d+)\)/)
        let runner = try source("JobRunner/Writer/WriterStart.swift")
            .matches(of: /Int32 = (\d+)/)
        #expect(client.count > 5 && runner.count > 2)
        for code in client.map(\.1) + runner.map(\.1) {
            #expect(page.contains("\n| \(code) | "), "\(code)")
        }
    }

    /// Where the sentences are made that are shown as alarms, or why a runner does not start.
    private static let alarms = [
        ("JobStorage/StoreError.swift", from: "case .busy(let", to: "case .schemaTooNew(let"),
        ("JobStorage/StoreError.swift", from: "case .full(let", to: "case .sqlite(let"),
        ("JobRunner/Intake/SpoolError.swift", from: "var summary", to: "var hint"),
        ("JobRunner/Intake/Intake.swift", from: "var alarms", to: "return found"),
        ("JobRunner/StateDirectory.swift", from: "var summary", to: "var hint"),
        ("JobRunner/Systemd.swift", from: "log.error(", to: "\n"),
        ("JobCore/Dispatcher/Dispatcher+Answers.swift", from: "alarms.append(", to: "\n"),
        ("JobRunner/Broker/Doors.swift", from: "guard nextTry", to: "}\n\n"),
    ]

    @Test(arguments: alarms)
    func `every alarm stands in the table`(path: String, from start: String, to end: String) throws
    {
        let page = try page("Operations")
        let parts = try source(path).components(separatedBy: start).dropFirst()
        let found = parts.flatMap { sentences(in: $0.components(separatedBy: end)[0]) }
        #expect(!found.isEmpty)
        for sentence in found { #expect(page.contains("| \(sentence) |"), "\(sentence)") }
    }

    private func source(_ path: String) throws -> String {
        try String(contentsOfFile: Document.root + "/Sources/" + path, encoding: .utf8)
    }

    private func sources() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: Document.root + "/Sources")
            .filter { $0.hasSuffix(".swift") }.map(source)
    }

    /// The drawing is kept in two places, so that readers of either have it.
    @Test func `the life of a job is drawn as in the source`() throws {
        let path = Document.root + "/Sources/JobCore/JobState.swift"
        let source = try String(contentsOfFile: path, encoding: .utf8)
            .replacing(/(?m)^\/\/\/ ?/, with: "")
        let drawings = [try page("JobLifecycle"), source].map { text in
            text.components(separatedBy: "```")[1].split(separator: "\n")
                .map { $0.drop { $0 == " " } }
        }
        #expect(drawings[0] == drawings[1])
    }
}

/// Digits in groups of three, as the documents write them.
private func grouped(_ number: some BinaryInteger) -> String {
    var text = ""
    for (place, digit) in String(number).reversed().enumerated() {
        if place > 0, place.isMultiple(of: 3) { text.append(" ") }
        text.append(digit)
    }
    return String(text.reversed())
}

private func bounds<Bound: BinaryInteger>(_ range: ClosedRange<Bound>) -> String {
    "\(grouped(range.lowerBound)) to \(grouped(range.upperBound))"
}

/// The texts in a piece of source that are sentences, with an ellipsis for what is put in.
private func sentences(in source: String) -> [String] {
    var found: [String] = []
    var text: String?
    var depth = 0
    var last: Character = " "
    for character in source {
        switch character {
        case "(" where last == "\\" && depth == 0:
            text = text.map { $0.dropLast() + "…" }
            depth = 1
        case "(" where depth > 0: depth += 1
        case ")" where depth > 0: depth -= 1
        case _ where depth > 0: break
        case "\"":
            if let text { found.append(text) }
            text = text == nil ? "" : nil
        default: text?.append(character)
        }
        last = character
    }
    return found.filter { $0.split(separator: " ").count > 3 }
}
