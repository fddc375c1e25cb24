internal import Glibc

/// Removes a directory and all that is in it, whatever its names and however deep it is.
///
/// What lies in its folders is moved up before they are removed, so that a tree of any depth takes
/// three descriptors and no stack. Nobody else may be at work in it.
struct TreeRemoval {
    /// Names that are read at a time.
    private static let namesTogether = 1_024
    private static let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

    private let path: String
    private let root: CInt
    private var moved = 0

    /// - Throws: What kept something of it from being removed.
    static func remove(_ path: String) throws(SystemError) {
        chmod(path, 0o700)  // Its owner may have taken all rights away.
        let root = open(path, flags)
        guard root >= 0 else {
            if errno == ENOENT { return }
            throw .last("open \(path)")
        }
        defer { close(root) }
        var removal = TreeRemoval(path: path, root: root)
        try removal.empty()
        guard rmdir(path) == 0 else { throw .last("remove \(path)") }
    }

    private mutating func empty() throws(SystemError) {
        while true {
            let names = try names(in: root)
            if names.isEmpty { return }
            for name in names {
                if unlinkat(root, name, 0) != 0 { try removeFolder(name) }
            }
        }
    }

    private mutating func removeFolder(_ name: [CChar]) throws(SystemError) {
        _ = fchmodat(root, name, 0o700, 0)
        let folder = openat(root, name, Self.flags)
        guard folder >= 0 else { throw failed }
        defer { close(folder) }
        while true {
            let inner = try names(in: folder)
            if inner.isEmpty { break }
            for name in inner {
                if unlinkat(folder, name, 0) != 0 { try raise(name, from: folder) }
            }
        }
        guard unlinkat(root, name, AT_REMOVEDIR) == 0 else { throw failed }
    }

    /// Moves a folder of a folder up into the root, under a name that is free.
    private mutating func raise(_ name: [CChar], from folder: CInt) throws(SystemError) {
        _ = fchmodat(folder, name, 0o700, 0)
        repeat {
            moved += 1
            if renameat(folder, name, root, ".moved-\(moved)") == 0 { return }
        } while errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR
        throw failed
    }

    private var failed: SystemError { .last("remove what is in \(path)") }

    /// Some of the names in it, none when it is empty; each ends with a zero.
    private func names(in folder: CInt) throws(SystemError) -> [[CChar]] {
        // A second description, because reading moves its position.
        let second = openat(folder, ".", Self.flags)
        guard second >= 0 else { throw failed }
        guard let stream = fdopendir(second) else {
            close(second)
            throw failed
        }
        defer { closedir(stream) }
        var found: [[CChar]] = []
        while found.count < Self.namesTogether, let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) {
                    Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
                }
            }
            let dot = CChar(UInt8(ascii: "."))
            if name != [dot, 0] && name != [dot, dot, 0] { found.append(name) }
        }
        return found
    }
}
