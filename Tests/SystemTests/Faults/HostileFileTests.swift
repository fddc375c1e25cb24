import Foundation
import JobTesting
import Testing

/// Files that mean no good, dropped into the jobs directory of a whole runner: each is refused with
/// a reason, nothing outside is touched, and good files go on being taken.
@Suite struct HostileFileTests {
    private static func text(_ piece: String, _ count: Int) -> [UInt8] {
        Array(String(repeating: piece, count: count).utf8)
    }

    /// What stands in them, by name. None is a job.
    private static let contents: [String: [UInt8]] = [
        "utf8.sql": [0x73, 0xFF, 0xFE, 0xC0, 0x80], "zero.json": [0, 0, 0, 0],
        "half.json": Array(#"{"jobs":[{"sql":"select 1"},{"sql":"sel"#.utf8),
        "half.jsonl": Array("{\"sql\":\"select 1\"}\n{\"sql\":".utf8),
        "empty.json": [], "mark.sql": [0xEF, 0xBB, 0xBF] + Array("select 1".utf8),
        "deep.json": text("[", 1_000_000), "deep.yaml": text("[", 100_000),
        "laughs.yaml": Array(
            """
            a: &a [x,x,x,x,x,x,x,x,x]
            b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]
            c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]
            d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]
            jobs: [*d,*d,*d,*d,*d,*d,*d,*d,*d]
            """.utf8
        ),
        "tag.yaml": Array("jobs: !!python/object/apply:os.system ['touch /tmp/x']".utf8),
        "large.json": text(" ", (16 << 20) + 1),
        "many.json": Array(#"{"jobs":[{"sql":"select 1"}"#.utf8)
            + text(#",{"sql":"select 1"}"#, 10_000) + Array("]}".utf8),
        "digits.json": Array(#"{"priority":"#.utf8) + text("9", 1_000_000) + Array("}".utf8),
        "header.sql": Array("-- databse: x\nselect 1".utf8),
        "escape.json": Array(#"{"sql":"select 1","database":"../../etc/passwd"}"#.utf8),
    ]

    @Test func `hostile files are refused with a reason and good ones go on`() throws {
        let row = FaultRow("hostile-files", count: 1)
        let broken = try row.run("hostile files") { tally in
            let runner = try RunnerProcess()
            let outside = try TemporaryDirectory()
            let secret = outside.path + "/secret.sql"
            try "select 'secret'".write(toFile: secret, atomically: true, encoding: .utf8)
            let spool = runner.spool
            symlink(secret, spool + "/link.sql")
            symlink(outside.path, spool + "/folder.json")
            symlink("/proc/self/mem", spool + "/memory.sql")
            symlink("../state/millrace.db", spool + "/up.json")
            mkfifo(spool + "/pipe.sql", 0o600)
            mknod(spool + "/zeroes.json", S_IFCHR | 0o600, 0x0105)
            var names = [
                "link.sql", "folder.json", "memory.sql", "up.json", "pipe.sql", "zeroes.json",
            ]
            for (name, bytes) in Self.contents {
                let hidden = "\(spool)/.\(name)"
                try Data(bytes).write(to: URL(filePath: hidden))
                try #require(rename(hidden, "\(spool)/\(name)") == 0)
                names.append(name)
            }
            let bystander = Bystander(runner.tcp)
            for name in names {
                let reason = "\(spool)/refused/\(name).reason.txt"
                try eventually("\(name) is refused") { () -> Void? in
                    access(reason, F_OK) == 0 ? () : nil
                }
                let text = try String(contentsOfFile: reason, encoding: .utf8)
                if text.isEmpty { tally.broken.append("\(name) was refused without a reason.") }
                if access("\(spool)/\(name)", F_OK) == 0 {
                    tally.broken.append("\(name) is there.")
                }
                tally.tried += 1
            }
            try "select 6 * 7".write(toFile: spool + "/.good", atomically: true, encoding: .utf8)
            rename(spool + "/.good", spool + "/good.sql")
            try eventually("the good file has results") { () -> Void? in
                access(spool + "/results/good.sql.json", F_OK) == 0 ? () : nil
            }
            let waits = try bystander.waits()
            tally.broken += waits.problems
            tally.notes.append("\(waits)")
            let left = try FileManager.default.contentsOfDirectory(atPath: outside.path)
            let text = try String(contentsOfFile: secret, encoding: .utf8)
            if left != ["secret.sql"] || text != "select 'secret'" {
                tally.broken.append("What lies outside has changed: \(left)")
            }
            if try Conversation(runner.ipc).run != 1 { tally.broken.append("It started anew.") }
        }
        #expect(broken.isEmpty, "\(broken)")
    }
}
