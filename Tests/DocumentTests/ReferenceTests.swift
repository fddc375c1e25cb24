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
            "| `spool` | `\(defaults.spoolDirectory)` |",
            "| `workers` | one for each core | \(bounds(Limits.workers)) |",
            "| `nice` | \(defaults.nice) | \(bounds(Settings.niceValues)) |",
            "| `drain_ms` | \(grouped(defaults.drainMs)) | \(bounds(Settings.drains)) |",
            "| `stuck_ms` | \(grouped(defaults.stuckMs)) | \(bounds(Settings.stucks)) |",
            "| `databases` | none |",
        ]
        for row in rows { #expect(page.contains(row), "\(row)") }
    }

    @Test func `every service, kernel, field and code is named`() throws {
        let page = try page("Protocol")
        let names =
            Service.allCases.map(\.rawValue) + KernelRegistry.standard.names + JobField.known
            + Failure.Code.allCases.map(\.rawValue)
        for name in names { #expect(page.contains(name), "\(name)") }
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
