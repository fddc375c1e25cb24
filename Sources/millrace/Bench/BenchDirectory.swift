internal import Foundation
internal import Glibc

/// A directory of the bench's own, removed with all that is in it.
final class BenchDirectory {
    let path: String

    /// The parent lies on the disk that is to be measured, and is short enough for a socket's path,
    /// which may have 107 bytes.
    init(in parent: String) throws(BenchError) {
        var template = Array((parent + "/millrace-bench-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            let reason = String(cString: strerror(errno))
            throw .system(action: "make a directory in \(parent)", reason: reason)
        }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { Self.remove(path) }

    /// Returns when the disk has done with it: what is measured next shall not wait for that.
    static func remove(_ path: String) {
        try? FileManager.default.removeItem(atPath: path)
        sync()
    }

    /// What the directory lies on, such as `ext4`.
    static func fileSystem(of path: String) -> String {
        let text = ProcessFiles.text("/proc/self/mounts")
        var best: (path: Substring, type: Substring) = ("", "unknown")
        let real = realpath(path, nil).map { pointer in
            defer { free(pointer) }
            return String(cString: pointer)
        }
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 2, words[1].count >= best.path.count else { continue }
            let holds = words[1] == "/" || ((real ?? path) + "/").hasPrefix(words[1] + "/")
            if holds { best = (words[1], words[2]) }
        }
        return String(best.type)
    }
}

/// Files that the system writes, such as those in /proc.
enum ProcessFiles {
    static func text(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }

    static func names(in directory: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    }
}
