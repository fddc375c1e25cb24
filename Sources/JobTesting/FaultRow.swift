internal import Foundation
internal import Glibc

/// One row of the fault matrix: how often a fault is made to happen and from which seed, and what
/// is written down of it.
///
/// Both stand in the environment, so that a test that is small in every run can be large in
/// another: `deploy/torture` sets them, and prints what the records say.
public struct FaultRow: Sendable {
    public let name: String
    /// `MILLRACE_TEST_COUNT`, or what every run of the tests can afford.
    public let count: Int
    /// `MILLRACE_TEST_SEED`, or 1: all that is drawn follows from it.
    public let seed: UInt64

    public init(_ name: String, count: Int) {
        let environment = ProcessInfo.processInfo.environment
        self.name = name
        self.count =
            environment["MILLRACE_TEST_COUNT"].flatMap { Int($0) }.map { max(1, $0) } ?? count
        seed = Self.givenSeed ?? 1
    }

    /// `MILLRACE_TEST_SEED`, for tests that would rather draw another one each time.
    public static var givenSeed: UInt64? {
        ProcessInfo.processInfo.environment["MILLRACE_TEST_SEED"].flatMap { UInt64($0) }
    }

    private init(_ name: String, _ count: Int, _ seed: UInt64) {
        (self.name, self.count, self.seed) = (name, count, seed)
    }

    /// A part of the row, for a test that shares it with others.
    public func with(count: Int) -> FaultRow { FaultRow(name, count, seed) }

    /// Lets `body` try the fault, and appends a line on it to the file that `MILLRACE_TEST_RECORD`
    /// names, also when `body` throws. `what` says what is tried, as words that follow a number:
    /// "kills under load".
    ///
    /// - Returns: The promises that were broken, one sentence each; a test expects none.
    public func run(_ what: String, _ body: (FaultTally) throws -> Void) throws -> [String] {
        let tally = FaultTally()
        let start = ContinuousClock.now
        do {
            try body(tally)
        } catch {
            tally.broken.append("\(error)")
            try write(what, tally, since: start)
            throw error
        }
        try write(what, tally, since: start)
        return tally.broken
    }

    private func write(_ what: String, _ tally: FaultTally, since start: ContinuousClock.Instant)
        throws
    {
        let environment = ProcessInfo.processInfo.environment
        guard let path = environment["MILLRACE_TEST_RECORD"], !path.isEmpty else { return }
        let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
        // The order is for the eyes; one write, so that tests beside each other do not mix.
        let members = [
            "\"row\":\(quoted(name))", "\"what\":\(quoted(what))", "\"tried\":\(tally.tried)",
            "\"broken\":\(tally.broken.count)", "\"ms\":\(Int(milliseconds))", "\"seed\":\(seed)",
            "\"note\":\(quoted(tally.notes.joined(separator: "; ")))",
            "\"first\":\(quoted(tally.broken.first ?? ""))",
        ]
        let line = Array("{\(members.joined(separator: ","))}\n".utf8)
        let file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        defer { close(file) }
        guard file >= 0, Glibc.write(file, line, line.count) == line.count else {
            throw NeverHappened("\(path) can be written")
        }
    }
}

/// What came of the tries of a fault.
public final class FaultTally {
    /// How often the fault happened while it counted.
    public var tried = 0
    /// Broken promises, one sentence each.
    public var broken: [String] = []
    /// What was measured beside, for whoever reads the table.
    public var notes: [String] = []
}

/// A string of JSON that holds no control characters and so can stand in a line of a table.
private func quoted(_ text: String) -> String {
    let plain = text.unicodeScalars.map { $0.value < 0x20 ? " " : Character($0) }
    let escaped = String(plain.prefix(500)).replacingOccurrences(of: "\\", with: "\\\\")
        .replacingOccurrences(of: "\"", with: "\\\"")
    return "\"\(escaped)\""
}
