import Foundation
import JobCore
import JobWire
import Synchronization
import Testing

@testable import JobRunner

/// CSVs that lie beside files of jobs and are named in them.
@Suite("CSVs beside files of jobs") struct IntakeRowsTests {
    private static let job = "-- each: rows.csv\nINSERT INTO t VALUES (:n)"

    private func submissions(
        _ format: JobFile,
        _ text: String,
        eachBytes: Int = 100,
        csv: [UInt8] = Array("n\n1\n".utf8)
    ) throws -> [Submission] {
        var limits = Limits()
        limits.eachBytes = eachBytes
        return try format.submissions(
            in: Array(text.utf8),
            limits: limits,
            rows: { name throws(RowsProblem) in
                guard name == "rows.csv" else { throw .missing(name) }
                return csv
            },
            parse: parseLoosely
        )
    }

    @Test(arguments: [
        (JobFile.sql, "-- each: rows.csv\nselect :n"),
        (.json, #"{"each": "rows.csv", "sql": "select :n"}"#),
        (.jsonl, #"{"each":"rows.csv","sql":"select :n"}"#),
        (.yaml, "each: rows.csv\nsql: select :n\n"),
    ])
    func `every kind of file may name a CSV, which goes along as a frame`(
        format: JobFile,
        text: String
    ) throws {
        let job = try #require(try submissions(format, text).first)
        let body = String(decoding: job.spec.body, as: UTF8.self)
        #expect(body == #"{"each":{"$frame":2},"sql":"select :n"}"#)
        #expect(job.spec.frames == [Spec.Frame(number: 2, bytes: Array("n\n1\n".utf8))])
    }

    @Test func `rows may stand in the file itself`() throws {
        let job = try #require(try submissions(.yaml, "each: [[1], [2]]\nsql: select ?\n").first)
        #expect(
            String(decoding: job.spec.body, as: UTF8.self)
                == #"{"each":[[1],[2]],"sql":"select ?"}"#
        )
        #expect(job.spec.frames.isEmpty)
    }

    @Test(arguments: [
        "rows.txt", "../rows.csv", "/etc/rows.csv", ".rows.csv", "a/rows.csv", "rows.csv/",
        String(repeating: "x", count: 197) + ".csv",
    ])
    func `what is no name of a CSV is refused at its place`(name: String) throws {
        let problem = try #require(throws: JobFileProblem.self) {
            try submissions(.sql, "-- mode: read\n-- each: \(name)\nselect 1")
        }
        #expect(problem.place == JobFile.Place(line: 2, column: 4))
        #expect(problem.problem.hasPrefix("each must name a CSV"))
    }

    @Test func `jobs of one file have a bound for their CSVs together`() throws {
        let two = #"{"jobs":[{"each":"rows.csv"},{"each":"rows.csv"}]}"#
        #expect(try submissions(.json, two, eachBytes: 8).count == 2)
        let problem = try #require(throws: JobFileProblem.self) {
            try submissions(.json, two, eachBytes: 7)
        }
        #expect(problem.problem.contains("so many bytes together"), "\(problem.summary)")
    }

    @Test func `what is wrong with a CSV is told with the line and column in it`() throws {
        let reader = JobReader(Catalog())
        let problem = try #require(throws: JobFileProblem.self) {
            try JobFile.sql.submissions(
                in: Array("-- mode: read\n-- each: rows.csv\nselect :a".utf8),
                rows: { _ throws(RowsProblem) in Array("a,b\n1,2\n3,\"4".utf8) },
                parse: { (job, frames) throws(Refusal) in try reader.job(job, frames: frames) }
            )
        }
        #expect(
            problem.summary
                == "Line 2, column 4: The CSV is wrong at line 3, column 3: this quote is never closed."
        )
    }

    // MARK: In the directory

    @Test func `a CSV waits until a file of jobs names it, and goes with it`() throws {
        let bench = try IntakeBench()
        bench.turn()
        try bench.scratch.write("n\n1\n", "rows.csv")
        bench.arrive("rows.csv")
        bench.turn(after: 10_000)
        #expect(bench.filed == [])
        #expect(try bench.scratch.dropped == ["rows.csv"])
        #expect(
            bench.loop.overview.listed["rows.csv"]?.contains("waits for a file of jobs") == true
        )

        try bench.scratch.write(Self.job, "a.sql")
        bench.arrive("a.sql")
        #expect(bench.filed == ["a.sql"])
        #expect(try bench.scratch.dropped == [])
        #expect(try bench.scratch.names(in: "taken") == [])
        #expect(try bench.scratch.names(in: "done") == ["1-a.sql", "1-rows.csv", "a.sql.ids"])
        #expect(bench.loop.overview.listed.isEmpty)
    }

    @Test func `the next CSV of that name is for the next file`() throws {
        let bench = try IntakeBench()
        bench.turn()
        for round in 1...2 {
            try bench.scratch.write("n\n\(round)\n", "rows.csv")
            try bench.scratch.write(Self.job, "a.sql")
            bench.arrive("a.sql")
        }
        #expect(bench.scratch.text("done/1-rows.csv") == "n\n1\n")
        #expect(bench.scratch.text("done/2-rows.csv") == "n\n2\n")
    }

    @Test func `a file that names no CSV there is refused, and says in which order they come`()
        throws
    {
        let bench = try IntakeBench()
        bench.turn()
        try bench.scratch.write(Self.job, "a.sql")
        bench.arrive("a.sql")
        let reason = bench.scratch.text("refused/a.sql.reason.txt")
        #expect(reason?.contains("There is no file \"rows.csv\" beside it.") == true)
        #expect(reason?.contains("Put the CSV there first") == true)
    }

    @Test func `a CSV that somebody has open for writing is waited for`() throws {
        let bench = try IntakeBench()
        bench.turn()
        try bench.scratch.write("n\n1", "rows.csv")
        let path = bench.scratch.path + "/rows.csv"
        let writer = try #require(FileHandle(forWritingAtPath: path))
        try bench.scratch.write(Self.job, "a.sql")
        bench.arrive("a.sql")
        try bench.scratch.write("select 1", "b.sql")
        bench.arrive("b.sql")
        #expect(bench.filed == ["b.sql"])
        #expect(bench.loop.overview.failure?.contains("still being written") == true)
        #expect(try bench.scratch.dropped == ["rows.csv"])
        try writer.close()
        bench.turn(after: 10_000)
        #expect(bench.filed == ["a.sql", "b.sql"])
        #expect(bench.loop.overview.failure == nil)
    }

    @Test func `what is refused with its file lies beside it, an older one out of the way`() throws
    {
        let bench = try IntakeBench()
        bench.turn()
        for round in 1...2 {
            try bench.scratch.write("n\n\(round)\n", "rows.csv")
            try bench.scratch.write("-- key: refuse\n" + Self.job, "a.sql")
            bench.arrive("a.sql")
        }
        #expect(bench.scratch.text("refused/rows.csv") == "n\n2\n")
        let older = try bench.scratch.names(in: "refused").filter { $0.hasSuffix("-rows.csv") }
        #expect(older.map { bench.scratch.text("refused/\($0)") } == ["n\n1\n"])
        #expect(try bench.scratch.names(in: "taken") == [])
    }

    @Test func `without room the CSV stays with its file, and goes in with it later`() throws {
        let bench = try IntakeBench()
        bench.turn()
        bench.ledger.state.withLock { $0.refusals = [Refusal(429, "no_room", "No room.")] }
        try bench.scratch.write("n\n1\n", "rows.csv")
        try bench.scratch.write(Self.job, "a.sql")
        bench.arrive("a.sql")
        try bench.scratch.write("n\n2\n", "rows.csv")
        bench.turn(after: 1_000)
        #expect(bench.scratch.text("done/1-rows.csv") == "n\n1\n")
        #expect(try bench.scratch.dropped == ["rows.csv"])
    }

    @Test func `a link, a directory or too large a CSV is refused, and nothing outside is touched`()
        throws
    {
        let bench = try IntakeBench()
        let outside = try Scratch()
        try outside.write("n\n1\n", "rows.csv")
        symlink(outside.path + "/rows.csv", bench.scratch.path + "/link.csv")
        mkdir(bench.scratch.path + "/directory.csv", 0o700)
        let large = [UInt8](repeating: 49, count: Limits().eachBytes + 1)
        try Data(large).write(to: URL(filePath: bench.scratch.path + "/large.csv"))
        bench.turn()
        for (name, words) in [
            ("link", "no regular file"), ("directory", "no regular file"), ("large", "more than"),
        ] {
            try bench.scratch.write("-- each: \(name).csv\nselect 1", "\(name).sql")
            bench.arrive("\(name).sql")
            let reason = bench.scratch.text("refused/\(name).sql.reason.txt")
            #expect(reason?.contains(words) == true, "\(reason ?? "")")
        }
        #expect(bench.filed == [])
        #expect(outside.text("rows.csv") == "n\n1\n")
        #expect(try bench.scratch.dropped == ["directory.csv", "link.csv"])
    }

    @Test func `a CSV whose file has gone before it is put away by the next start`() throws {
        let bench = try IntakeBench()
        try bench.scratch.write("n\n1\n", "taken/0-7-rows.csv")
        try bench.scratch.write("n\n2\n", "taken/0-8-rows.csv")
        try bench.scratch.write(Self.job, "taken/0-8-a.sql")
        bench.turn()
        #expect(bench.scratch.text("done/0-7-rows.csv") == "n\n1\n")
        #expect(bench.scratch.text("done/1-rows.csv") == "n\n2\n")
        #expect(try bench.scratch.names(in: "taken") == [])
    }
}
