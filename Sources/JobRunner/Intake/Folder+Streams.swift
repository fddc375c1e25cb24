internal import Glibc

/// Files of a folder that are too large to be held in memory.
extension Folder {
    /// A regular file that is read from its beginning to its end, as often as need be.
    final class Source {
        private let folder: Folder
        private let name: String
        private let file: OpenFile
        /// Bytes when it was opened.
        let size: Int64

        fileprivate init(_ folder: Folder, _ name: String, size: Int64) throws(SpoolError) {
            self.folder = folder
            self.name = name
            self.size = size
            file = OpenFile(
                try folder.call("open", name) { openat(folder.descriptor, name, readingFlags) }
            )
        }

        /// At most so many bytes more; none at the end.
        func read(atMost most: Int) throws(SpoolError) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: most)
            let count = try folder.call("read", name) {
                bytes.withUnsafeMutableBytes { Glibc.read(file.descriptor, $0.baseAddress, most) }
            }
            bytes.removeLast(most - count)
            return bytes
        }

        func rewind() throws(SpoolError) {
            try folder.call("lseek", name) { lseek(file.descriptor, 0, SEEK_SET) }
        }
    }

    /// Nil when there is no such file, or no regular one.
    func source(_ name: String) throws(SpoolError) -> Source? {
        guard let entry = try entry(name), entry.kind == .regular else { return nil }
        return try Source(self, name, size: entry.size)
    }

    /// A file that is written bit by bit under a dot name, and gets its own when it is whole.
    final class Draft {
        private let folder: Folder
        private let hidden: String
        private let file: OpenFile

        fileprivate init(_ folder: Folder, _ hidden: String) throws(SpoolError) {
            self.folder = folder
            self.hidden = hidden
            let flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC
            file = OpenFile(
                try folder.call("open", hidden) {
                    openat(folder.descriptor, hidden, flags, 0o664)
                }
            )
        }

        func add(_ bytes: [UInt8]) throws(SpoolError) {
            try folder.write(bytes, to: file.descriptor, hidden)
        }

        /// Also over an older file of that name. Repeating it does no harm; the new name is sure
        /// after `sync`.
        func finish(as name: String) throws(SpoolError) {
            try folder.call("fsync", hidden) { fsync(file.descriptor) }
            do {
                try folder.call("rename", name) {
                    renameat(folder.descriptor, hidden, folder.descriptor, name)
                }
            } catch  where error.isMissing {}  // It has its name.
        }

        func discard() { _ = unlinkat(folder.descriptor, hidden, 0) }
    }

    /// An empty one; another of that name is begun anew. No two under way may have one name, nor a
    /// note that is being written: a name of ours without the ending of a note is nobody else's.
    func draft(_ name: String) throws(SpoolError) -> Draft { try Draft(self, "." + name) }

    func write(_ bytes: [UInt8], to file: CInt, _ name: String) throws(SpoolError) {
        var written = 0
        while written < bytes.count {
            written += try call("write", name) {
                bytes.withUnsafeBytes { buffer in
                    let rest = UnsafeRawBufferPointer(rebasing: buffer[written...])
                    return Glibc.write(file, rest.baseAddress, rest.count)
                }
            }
        }
    }
}
