import Foundation
import JobTesting
import Testing

/// Files that are dropped into the jobs directory under load, synced, and what must become of each:
/// one job, one row in the user's table, and results.
final class KeptDrops {
    private let spool: String
    private(set) var count = 0

    init(in spool: String) { self.spool = spool }

    /// What the jobs write: negative, so that they are told from those of the book.
    var marks: [Int] { (0..<count).map { -1 - $0 } }

    private func name(_ n: Int) -> String { "drop-\(n).sql" }

    func drop() throws {
        let text = """
            -- name: \(name(count))
            -- database: user
            -- mode: write
            INSERT INTO marks VALUES (\(-1 - count));

            """
        let hidden = "\(spool)/.\(name(count))"
        let file = open(hidden, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { close(file) }
        let bytes = Array(text.utf8)
        try #require(write(file, bytes, bytes.count) == bytes.count && fsync(file) == 0)
        try #require(rename(hidden, "\(spool)/\(name(count))") == 0)
        let directory = open(spool, O_RDONLY | O_CLOEXEC)
        defer { close(directory) }
        try #require(fsync(directory) == 0)
        count += 1
    }

    /// Waits until all have results.
    func settle() throws {
        for n in 0..<count {
            let path = "\(spool)/results/\(name(n)).json"
            try eventually("\(path) is there", within: .seconds(120)) { () -> Void? in
                access(path, F_OK) == 0 ? () : nil
            }
        }
    }

    /// `names` says how many jobs of each name the runner has.
    func problems(by names: [String: Int]) -> [String] {
        (0..<count).compactMap { n in
            let jobs = names[name(n), default: 0]
            return jobs == 1 ? nil : "The file \(name(n)) became \(jobs) jobs."
        }
    }
}
