import Foundation
import JobCore
import JobWire
import Synchronization
import Testing

@testable import JobRunner

@Suite("The thread that watches the jobs directory") struct IntakeTests {
    @Test func `files come in by the watch, and their results come out`() throws {
        let scratch = try Scratch()
        let ledger = Ledger()
        var settings = ledger.settings(scratch.path)
        settings.stillnessMs = 3_600_000  // So that only the watch can tell.
        try withIntake(settings, ledger) {
            for number in 1...100 {
                try scratch.write("select \(number)", ".\(number).sql")
                try scratch.rename(".\(number).sql", to: "\(number).sql")
            }
            #expect(ledger.wait { $0.closed.count == 100 })
            #expect(try scratch.names(in: "results").count == 200)
            #expect(try scratch.names(in: "done").count == 200)
            #expect(try scratch.dropped == [], "\(ledger.state.withLock { $0.log })")
            #expect(try scratch.names(in: "taken") == [])
        }
    }

    @Test func `a file written in place is taken after it was closed`() throws {
        let scratch = try Scratch()
        let ledger = Ledger()
        var settings = ledger.settings(scratch.path)
        settings.stillnessMs = 20
        settings.scanMs = 3_600_000
        try withIntake(settings, ledger) {
            try scratch.write("select 1", "a.sql")
            #expect(ledger.wait { $0.closed.count == 1 })
            try scratch.write("-- nonsense: 1\nselect 1", "b.sql")
            #expect(ledger.wait { $0.log.contains { $0.contains("b.sql") } })
            #expect(scratch.text("refused/b.sql.reason.txt")?.contains("nonsense") == true)
        }
    }

    @Test func `a directory that takes the place of ours is watched in its stead`() throws {
        let scratch = try Scratch()
        let place = scratch.path + "/jobs"
        #expect(mkdir(place, 0o755) == 0)
        let ledger = Ledger()
        var settings = ledger.settings(place)
        settings.stillnessMs = 3_600_000  // So that only the watch can tell.
        settings.scanMs = 20
        try withIntake(settings, ledger) {
            for round in 1...3 {
                if round > 1 {
                    try scratch.rename("jobs", to: "jobs.old.\(round)")
                    #expect(mkdir(place, 0o755) == 0)
                    #expect(ledger.wait { $0.log.count { $0.hasPrefix("Another") } == round - 1 })
                    try FileManager.default.removeItem(atPath: "\(place).old.\(round)")
                }
                try scratch.write("select \(round)", "jobs/.a.sql")
                try scratch.rename("jobs/.a.sql", to: "jobs/a.sql")
                #expect(ledger.wait { $0.closed.count == round })
                #expect(scratch.text("jobs/results/a.sql.json") != nil)
            }
            // A folder in it alone.
            try scratch.rename("jobs/results", to: "results.old")
            #expect(ledger.wait { $0.log.count { $0.hasPrefix("Another") } == 3 })
            #expect(try scratch.names(in: "jobs/results") == [])
        }
    }

    private func withIntake(
        _ settings: IntakeSettings,
        _ ledger: Ledger,
        _ body: () throws -> Void
    ) throws {
        let intake = try Intake(settings)
        let ended = DispatchSemaphore(value: 0)
        ledger.answer(to: intake)
        intake.start { ended.signal() }
        defer {
            intake.tell(.stop)
            #expect(ended.wait(timeout: .now() + .seconds(20)) == .success)
        }
        try body()
    }
}

@Suite("What to do about a name") struct ArrivalTests {
    private static let entry = Entry(kind: .regular, size: 1, changed: 1)

    @Test func `a name alone tells what is none of ours`() {
        for name in [".a.sql", "..", "a.sql~", "a.tmp", "a.sql.part", "a.partial", ".a.sql.swp"] {
            #expect(Decision(name: name) == .ignore)
        }
        for name in ["a.sql", "a.json", "a.jsonl", "a.yaml", "a.YML"] {
            #expect(Decision(name: name) == nil)
        }
        #expect(Decision(name: "a.csv") != .ignore && Decision(name: "a.csv") != nil)
    }

    /// What is decided of a file that was first seen at 5.
    private func decide(
        _ entry: Entry,
        _ now: Int64,
        _ arrival: Arrival = .found,
        last: Sighting? = Sighting(entry: entry, since: 5),
        isBeingWritten: Bool? = false
    ) -> Decision {
        Decision(
            Look(
                entry: entry,
                arrival: arrival,
                last: last,
                now: now,
                stillness: 10,
                isBeingWritten: { isBeingWritten }
            )
        )
    }

    @Test func `a change begins the wait anew`() {
        let sighting = Sighting(entry: Self.entry, since: 5)
        #expect(decide(Self.entry, 14) == .watch(sighting))
        #expect(decide(Self.entry, 15) == .take)
        #expect(decide(Self.entry, 5, .movedIn, last: nil) == .take)
        for other in [
            Entry(kind: .regular, size: 2, changed: 1), Entry(kind: .regular, size: 1, changed: 2),
        ] {
            #expect(decide(other, 15) == .watch(Sighting(entry: other, since: 15)))
        }
        #expect(decide(Entry(kind: .directory, size: 1, changed: 1), 15) == .ignore)
    }

    @Test func `a file that is being written is waited for, however it came`() {
        for arrival in [Arrival.found, .closed, .movedIn] {
            let decision = decide(Self.entry, 15, arrival, isBeingWritten: true)
            #expect(decision == .watch(Sighting(entry: Self.entry, since: 15)))
        }
    }

    /// As of another user's file, for a runner that is not root.
    @Test func `where nobody can tell, a file is waited for until it was closed, or for a minute`()
        throws
    {
        #expect(decide(Self.entry, 15, .movedIn, isBeingWritten: nil) == .take)
        var sighting = Sighting(entry: Self.entry, since: 5, isBlind: true)
        #expect(decide(Self.entry, 15, isBeingWritten: nil) == .watch(sighting))
        #expect(sighting.due(after: 10) == 60_005)
        #expect(decide(Self.entry, 60_004, last: sighting, isBeingWritten: nil) == .watch(sighting))
        #expect(decide(Self.entry, 60_005, last: sighting, isBeingWritten: nil) == .take)

        // Closed while it was waited for, and then: first it must stay so for the usual time.
        let soon = decide(Self.entry, 14, .closed, last: sighting, isBeingWritten: nil)
        sighting.isBlind = false
        sighting.isClosed = true
        #expect(soon == .watch(sighting))
        #expect(decide(Self.entry, 15, last: sighting, isBeingWritten: nil) == .take)
        // What is written afterwards makes it a file that nobody has closed.
        let other = Entry(kind: .regular, size: 2, changed: 2)
        let again = decide(other, 15, last: sighting, isBeingWritten: nil)
        #expect(again == .watch(Sighting(entry: other, since: 15)))
    }
}

@Suite("Results of a file") struct FileResultsTests {
    private func job(
        _ id: Int64,
        _ format: ResultFormat,
        _ bytes: [UInt8],
        total: Int64? = nil
    ) -> FileResults.Job {
        let end = JobEnd(
            id: JobID(rawValue: id),
            state: .succeeded,
            attempt: Attempt(rawValue: 1),
            failure: nil
        )
        let head = ResultHead(format: format, totalBytes: total ?? Int64(bytes.count))
        return FileResults.Job(JobResult(end: end, head: head, bytes: bytes), name: "job")
    }

    @Test func `JSON stands as JSON, text as text, bytes as base64`() throws {
        let jobs = [
            job(1, .json, Array(#"{"rows": [[9007199254740993]]}"#.utf8)),
            job(2, .csv, Array("a,b\r\n".utf8)),
            job(3, .bytes, [0xFF, 0x00]),
            job(4, .json, Array("{broken".utf8)),
            job(5, .csv, [], total: 1 << 30),
        ]
        let text = FileResults(name: "a.jsonl", takenAs: "1-1-a.jsonl", jobs: jobs)
            .encoded(as: "a.jsonl")
        let found = try #require(try JSON(parsing: text)["jobs"]?.arrayValue)
        #expect(found[0]["result"]?["rows"] == [[9_007_199_254_740_993]])
        #expect(found[1]["result"] == "a,b\r\n")
        #expect(found[2]["result"]?["base64"] == "/wA=")
        #expect(found[3]["result"] == "{broken")
        #expect(found[4]["result"] == nil)
        #expect(found[4]["total_bytes"] == 1_073_741_824)
        #expect(found[4]["hint"] == "It is too large to stand here: millrace result 5")
        #expect(found.dropLast().allSatisfy { $0["hint"] == nil })
        #expect(found.allSatisfy { $0["name"] == "job" && $0["state"] == "succeeded" })
    }

    @Test func `the result of an only job lies beside, unless it is JSON`() throws {
        func results(_ job: FileResults.Job) -> FileResults {
            FileResults(name: "a.sql", takenAs: "1-1-a.sql", jobs: [job])
        }
        let csv = results(job(1, .csv, Array("a\n".utf8)))
        #expect(csv.sibling?.format == "csv")
        let text = try JSON(parsing: csv.encoded(as: "a.sql"))
        #expect(text["jobs"]?.arrayValue?[0]["result_file"] == "a.sql.csv")
        #expect(results(job(1, .json, [0x31])).sibling == nil)
    }
}
