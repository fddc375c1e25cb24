import Foundation
import Testing
import ZeroMQ

/// Keys as text and in files.
@Suite struct KeyTests {
    private let directory = FileManager.default.temporaryDirectory
        .appending(path: "millrace-\(UUID().uuidString)").path()

    init() throws {
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: false
        )
    }

    private func problem(_ path: String) -> KeyFileProblem? {
        do throws(KeyFileProblem) {
            _ = try SecretKey(file: path)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a key is the same after it was text`() throws {
        let key = try SecretKey()
        #expect(PublicKey(key.publicKey.text) == key.publicKey)
        #expect(key.publicKey.text.utf8.count == 40)
        // From the example of ZeroMQ's RFC 26.
        #expect(
            SecretKey("JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6")?.publicKey.text
                == "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
        )
    }

    @Test(arguments: [
        "", "rq:rM", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf",
        "\"q:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7x", "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%#####",
        "éééééééééééééééééééé", "\u{0}q:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
        "#####rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y",
    ])
    func `what is no key is none`(text: String) {
        #expect(PublicKey(text) == nil)
        #expect(SecretKey(text) == nil)
    }

    @Test func `a secret key does not show itself`() throws {
        let text = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
        let key = try #require(SecretKey(text))
        var dumped = ""
        dump(key, to: &dumped)
        for shown in ["\(key)", String(reflecting: key), dumped] {
            #expect(!shown.contains("JTKV") && !shown.contains("bytes"))
        }
    }

    @Test(arguments: [0, 0o077, 0o777] as [mode_t])
    func `a new file is its owner's alone, whatever the mask, and never replaced`(mask: mode_t)
        throws
    {
        let (path, key) = (directory + "/\(mask).key", try SecretKey())
        let old = umask(mask)
        defer { umask(old) }
        try key.write(newFile: path)
        var found = stat()
        #expect(stat(path, &found) == 0)
        #expect(found.st_mode & 0o7777 == 0o600)
        #expect(try SecretKey(file: path) == key)
        #expect(throws: KeyFileProblem.unwritable(path, errno: EEXIST)) {
            try SecretKey().write(newFile: path)
        }
        #expect(try SecretKey(file: path) == key)
        #expect(symlink("nowhere", directory + "/\(mask).link") == 0)
        #expect(throws: KeyFileProblem.self) {
            try key.write(newFile: directory + "/\(mask).link")
        }
    }

    @Test(arguments: [0o640, 0o604, 0o620, 0o601, 0o666] as [mode_t])
    func `a file that others can get at is refused`(mode: mode_t) throws {
        let path = directory + "/open-\(mode).key"
        try SecretKey().write(newFile: path)
        chmod(path, mode)
        #expect(problem(path) == .open(path, mode: mode))
        #expect(problem(path)?.hint?.contains("chmod 600 \(path)") == true)
    }

    @Test func `a file that holds no key is refused, and not shown`() throws {
        for (place, text) in [
            "", "\n", "short\n", String(repeating: "k", count: 41),
            String(repeating: "é", count: 20),
            String(repeating: "k", count: 100_000), String(repeating: "k", count: 40) + "\n\n",
        ].enumerated() {
            let path = directory + "/\(place).txt"
            try text.write(toFile: path, atomically: false, encoding: .utf8)
            chmod(path, 0o400)
            #expect(problem(path) == .malformed(path))
            #expect(problem(path)?.summary.contains("kk") == false)
        }
        #expect(problem(directory) == .noFile(directory))
        #expect(mkfifo(directory + "/pipe", 0o600) == 0)
        #expect(problem(directory + "/pipe") == .noFile(directory + "/pipe"))
        #expect(problem(directory + "/none") == .unreadable(directory + "/none", errno: ENOENT))
    }
}
