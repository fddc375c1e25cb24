import Foundation
import JobTesting
import Testing

/// A file system in a file, mounted at a place of its own, that can lose its power: what was not
/// synced at that moment is gone.
///
/// The shutdown stops all writing to the device at once and flushes nothing. A cache within a drive
/// has no part in it: what reached the device stays.
final class LoopDisk {
    private let image: String
    private let place: String
    /// Held, so that it goes after the disk.
    private let directory: TemporaryDirectory

    /// The format is "ext4" or "xfs".
    init(at place: String, in directory: TemporaryDirectory, format: String) throws {
        (self.place, self.directory) = (place, directory)
        image = directory.path + "/disk.\(format)"
        try #require(geteuid() == 0, "only root can mount: run the tests as root")
        try run("truncate", "-s", "512M", image)
        try run("mkfs.\(format)", "-q", image)
        try run("mkdir", "-p", place)
        try mount()
    }

    deinit { try? unmount() }

    func mount() throws { try run("mount", "-o", "loop", image, place) }

    /// The power goes.
    func cut() throws { try run("xfs_io", "-x", "-c", "shutdown", place) }

    /// Once nobody has a file open there.
    func unmount() throws {
        try eventually("\(place) is unmounted") { try? run("umount", place) }
    }

    private func run(_ words: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        process.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let text = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let said = String(decoding: text, as: UTF8.self)
            throw NeverHappened("\(words.joined(separator: " ")) succeeds: \(said)")
        }
    }
}
