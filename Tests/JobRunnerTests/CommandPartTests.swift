import Foundation
import Glibc
import JobTesting
import Testing

@testable import JobRunner

/// The pieces of which a command's run is made.
@Suite struct CommandPartTests {
    @Test func `what worker and keeper say comes back as it went`() throws {
        let launches = [
            Launch(
                program: "/bin/é",
                arguments: ["é", "", "a b\n"],
                environment: ["A=", "B=c=d"],
                workingDirectory: "/tmp",
                memoryBytes: .max
            ),
            Launch(
                program: "",
                arguments: [],
                environment: [],
                workingDirectory: "",
                memoryBytes: 0
            ),
        ]
        for launch in launches { #expect(try Launch(launch.frames) == launch) }
        let ends: [KeptEnd] = [
            .ended(.exit(0)), .ended(.exit(255)), .ended(.signal(9)), .ended(.unknown),
            .notStarted(ENOENT),
        ]
        for end in ends { #expect(try KeptEnd(end.frames) == end) }
        #expect(try PassedSignal(PassedSignal(SIGTERM).frames) == PassedSignal(SIGTERM))
    }

    @Test(arguments: [
        [], ["a"], ["a", "b", "x", "0"], ["a", "b", "1", "-1"], ["a", "b", "1", "2", "c"],
    ])
    func `what is no launch is refused`(words: [String]) {
        let frames = words.map { Array($0.utf8) }
        #expect(throws: FrameChannel.Closed.self) { try Launch(frames) }
        #expect(throws: FrameChannel.Closed.self) { try KeptEnd(frames) }
        #expect(throws: FrameChannel.Closed.self) { try PassedSignal(frames) }
    }

    @Test(arguments: [
        (["abc"], "abc"), (["abcdef"], "cdef"), (["ab", "cd", "ef"], "cdef"), ([], ""),
        (["aé", "éb"], "éb"), (["ab", "é", "é"], "éé"), (["€", "€"], "€"),
    ])
    func `the end of a stream is kept, by whole characters`(pieces: [String], expected: String) {
        var tail = StreamTail(mostBytes: 4)
        for piece in pieces { tail.append(ArraySlice(Array(piece.utf8))) }
        #expect(tail.text == expected)
    }

    @Test func `what is no text is replaced`() {
        var tail = StreamTail(mostBytes: 4)
        tail.append([65, 0xFF, 66])
        #expect(tail.text == "A\u{FFFD}B")
    }

    @Test func `a tree of any depth is removed, with what its owner may not write to`() throws {
        let directory = try TemporaryDirectory()
        let root = directory.path + "/root"
        try #require(mkdir(root, 0o700) == 0)
        let before = FileManager.default.currentDirectoryPath
        // No path is as long as this tree is deep.
        var folder = open(root, O_RDONLY | O_DIRECTORY)
        for level in 0..<3_000 {
            try #require(mkdirat(folder, "d", 0o700) == 0)
            close(openat(folder, "f", O_CREAT | O_WRONLY, 0o400))
            if level.isMultiple(of: 100) { symlinkat("/etc", folder, "link") }
            let next = openat(folder, "d", O_RDONLY | O_DIRECTORY)
            close(folder)
            folder = next
        }
        close(folder)
        for name in ["locked", "locked/in", ".moved-1", ".moved-1/in"] {
            try #require(mkdir(root + "/" + name, 0o700) == 0)
        }
        for number in 0..<2_000 { close(open(root + "/locked/in/\(number)", O_CREAT, 0o000)) }
        chmod(root + "/locked/in", 0o000)
        chmod(root + "/locked", 0o500)

        try TreeRemoval.remove(root)
        #expect(!FileManager.default.fileExists(atPath: root))
        #expect(access("/etc/passwd", F_OK) == 0)
        #expect(FileManager.default.currentDirectoryPath == before)
        #expect(throws: Never.self) { try TreeRemoval.remove(root) }
    }

    @Test func `a session is known again by its leader's start and the machine's`() throws {
        let own = try #require(CommandSession(of: getpid()))
        #expect(CommandSession(own.text) == own)
        for text in ["", "1 2 3\n", "x 2 b\n", "77 2\n", "77 -2 b\n"] {
            #expect(CommandSession(text) == nil, "\(text)")
        }

        // Ours need not have a leader that lives, so a child leads one.
        let directory = try TemporaryDirectory()
        let child = try ChildProcess(
            "/usr/bin/setsid",
            ["--wait", "/bin/sleep", "600"],
            environment: [:],
            directory: directory.path
        )
        let leader = try eventually("a child leads a session") {
            child.children.compactMap { ListedProcess($0) }.first { $0.session == $0.id }
        }
        let session = try #require(CommandSession(of: leader.id))
        #expect(session.processes == [leader.id])
        let (id, ticks, boot) = (session.id, session.startTicks, session.boot)
        let older = CommandSession(id: id, startTicks: ticks - 1, boot: boot)
        #expect(older.processes.isEmpty)
        let rebooted = CommandSession(id: id, startTicks: ticks, boot: "other")
        #expect(rebooted.processes.isEmpty)
        #expect(session.end(patience: patience))
        #expect(session.processes.isEmpty)
        try child.waitForEnd()
    }
}
