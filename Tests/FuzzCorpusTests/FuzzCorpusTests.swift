import Foundation
import FuzzEntries
import Testing

/// Every input that a fuzzer began with, or broke something with, goes through the same entry
/// again: to come back is to have passed.
@Suite struct FuzzCorpusTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Corpus")

    @Test(arguments: FuzzEntry.allCases)
    func `every input of the corpus is read or refused`(entry: FuzzEntry) throws {
        let folder = Self.corpus.appending(path: entry.rawValue)
        let files = try FileManager.default.contentsOfDirectory(
            at: folder,
            includingPropertiesForKeys: nil
        )
        #expect(files.count >= 3)
        for file in files {
            let bytes = Array(try Data(contentsOf: file))
            entry.read(bytes)
            // And every beginning of it, as a connection or a disk may cut it off.
            for end in bytes.indices.prefix(200) { entry.read(Array(bytes[..<end])) }
        }
    }
}
