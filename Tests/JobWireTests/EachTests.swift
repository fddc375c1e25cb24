import JobCore
import JobWire
import Testing

/// Rows of values for one statement: as clients send them, and as a worker reads them.
@Suite struct EachTests {
    @Test(arguments: [
        ("[]", "ok"), ("[[]]", "ok"), ("[[1],[2]]", "ok"), (#"[{"a":1},{"a":2,"b":3}]"#, "ok"),
        (#"[[null,true,1.5,"x",{"base64":"AA=="},{"real":"inf"}]]"#, "ok"),
        ("1", "422 wrong_type each"), (#""rows.csv""#, "422 wrong_type each"),
        (#"{"a":1}"#, "422 wrong_type each"), ("[1]", "422 wrong_type each[0]"),
        ("[[1],2]", "422 wrong_type each[1]"), ("[[1,2],[3]]", "422 invalid_value each[1]"),
        ("[[],[3]]", "422 invalid_value each[1]"),
        (#"[[1],{"a":1}]"#, "422 wrong_type each[1]"),
        (#"[{"a":1},[1]]"#, "422 wrong_type each[1]"),
        ("[[1],[[2]]]", "422 wrong_type each[1][0]"),
        (#"[{"a":1},{"a":{"b":1}}]"#, "422 invalid_value each[1].a"),
        ("[[9223372036854775808]]", "422 out_of_bounds each[0][0]"),
        (#"[[1]],"params":[1]"#, "422 conflicting_fields each"),
        (#"{"$frame":2}"#, "422 missing_frame each"),
    ])
    func `rows are taken whole or refused by their place`(each: String, expected: String) {
        #expect(outcome("job.submit", job(#""each":\#(each)"#)) == expected)
    }

    @Test func `a row of another length is named by its number`() {
        let refusal = refusal("job.submit", job(#""each":[[1,2],[1,2],[1,2,3]]"#))
        #expect(refusal?.message == "Row 3 has 3 values, and row 1 has 2.")
    }

    @Test func `rows belong to SQL`() {
        let found = outcome("job.submit", #"{"kernel":"sum","each":[[1]]}"#)
        #expect(found == "422 conflicting_fields each")
    }

    private func heard(csv: String) -> String {
        outcome("job.submit", job(#""each":{"$frame":2}"#), frames: [Array(csv.utf8)])
    }

    @Test func `a binary frame is a CSV, and refused with its line and column`() {
        #expect(heard(csv: "a,b\n1,2\n") == "ok")
        #expect(heard(csv: "a,b\n") == "ok")
        #expect(heard(csv: "a,b\n1\n") == "422 malformed_csv each")
        let refusal = refusal(
            "job.submit",
            job(#""each":{"$frame":2}"#),
            frames: [Array("a,b\n1,\"2\n".utf8)]
        )
        #expect(refusal?.message.contains("line 2, column 3") == true)
    }

    @Test func `rows and bytes have limits`() throws {
        var small = catalog
        small.limits.eachRows = 2
        small.limits.eachBytes = 10
        func outcome(_ each: String, csv: String? = nil) -> String {
            do {
                let frames = csv.map { [Array($0.utf8)] } ?? []
                let text = job(#""each":\#(each)"#)
                _ = try JobReader(small).job(Array(text.utf8), frames: frames)
                return "ok"
            } catch {
                return error.code
            }
        }
        #expect(outcome("[[1],[2]]") == "ok")
        #expect(outcome("[[1],[2],[3]]") == "out_of_bounds")
        #expect(outcome(#"{"$frame":2}"#, csv: "a\n1\n2\n") == "ok")
        #expect(outcome(#"{"$frame":2}"#, csv: "a\n1\n2\n3\n") == "out_of_bounds")
        #expect(outcome(#"{"$frame":2}"#, csv: "a\n12345678") == "ok")
        #expect(outcome(#"{"$frame":2}"#, csv: "a\n123456789") == "too_large")
    }

    @Test func `many rows are of another sort than few, and many alike of one`() throws {
        func sort(_ rows: Int) throws -> UInt64 {
            let rows = Array(repeating: "[1]", count: rows).joined(separator: ",")
            return try submission(job(#""each":[\#(rows)]"#)).spec.sort
        }
        #expect(try sort(100) == sort(120))
        #expect(try sort(100) != sort(1_000))
        #expect(try sort(1) != submission(job(#""params":[1]"#)).spec.sort)
    }

    @Test func `the same rows are the same job, however they are written`() throws {
        let one = try submission(job(#""each":[[1, 2]]"#)).fingerprint
        #expect(try submission(job(#""each":[ [1,2] ]"#)).fingerprint == one)
        #expect(try submission(job(#""each":[[1,3]]"#)).fingerprint != one)
        let csv = try [[1], [1], [2]].map { (byte: [UInt8]) in
            try submission(job(#""each":{"$frame":2}"#), frames: [Array("a\n".utf8) + byte])
                .fingerprint
        }
        #expect(csv[0] == csv[1] && csv[1] != csv[2])
    }

    private func rows(_ text: String, frames: [[UInt8]] = []) throws -> [StatementValues] {
        let spec = try submission(text, frames: frames).spec
        var reader = try #require(try SQLWork(spec.body, frames: spec.frames).each).reader()
        var rows: [StatementValues] = []
        while let row = try reader.next() { rows.append(row) }
        let end = try reader.next()
        #expect(end == nil, "the end stays the end")
        return rows
    }

    @Test func `a worker reads the rows one by one`() throws {
        #expect(try rows(job(#""each":[]"#)) == [])
        #expect(
            try rows(job(#""each":[ [1,"x"] , [{"$frame":2},null] ]"#), frames: [[7]])
                == [.list([.integer(1), .text("x")]), .list([.blob([7]), .null])]
        )
        #expect(
            try rows(job(#""each":[{"a":1},{"a":2.5}]"#))
                == [.named([.init("a", .integer(1))]), .named([.init("a", .real(2.5))])]
        )
        let csv = [Array("a,b\n1,x\n,2\n".utf8)]
        #expect(
            try rows(job(#""each":{"$frame":2}"#), frames: csv)
                == [.list([.integer(1), .text("x")]), .list([.null, .integer(2)])]
        )
    }

    @Test func `columns of a CSV are picked in any order, as often as they are wanted`() throws {
        let spec = try submission(
            job(#""each":{"$frame":2}"#),
            frames: [Array("a,b,c\n1,2,3\n".utf8)]
        ).spec
        let rows = try #require(try SQLWork(spec.body, frames: spec.frames).each)
        var reader = try rows.reader()
        #expect(reader.columns == ["a", "b", "c"])
        reader.picked = [2, 0, 2]
        let row = try reader.next()
        #expect(row == .list([.integer(3), .integer(1), .integer(3)]))
    }
}
