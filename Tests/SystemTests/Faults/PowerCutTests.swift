import Glibc
import JobTesting
import Testing

/// Accepted means synced: the power goes in the middle of the work, and what was acknowledged is on
/// the disk. The control shows that a runner that does not sync loses jobs here.
@Suite(.serialized) struct PowerCutTests {
    /// A siege on a disk of its own; the disk must outlive it.
    private func begin(
        _ seed: UInt64,
        _ disk: inout LoopDisk?,
        format: String,
        _ options: RunnerProcess.Options = .init()
    ) throws -> Siege {
        var options = options
        options.home = "/disk"
        let directory = try TemporaryDirectory()
        disk = try LoopDisk(at: directory.path + "/disk", in: directory, format: format)
        return try Siege(seed: seed, options, in: directory)
    }

    /// Nobody answers any more from here on; what was said before is heard.
    private func cut(_ siege: Siege, _ disk: LoopDisk) throws {
        let runner = siege.runner
        kill(try runner.worker(), SIGSTOP)
        try siege.book.listen()
        try disk.cut()
        try runner.killAll()
        try disk.unmount()
        try disk.mount()
    }

    @Test(arguments: ["ext4", "xfs"])
    func `a power cut loses nothing that was acknowledged`(format: String) throws {
        let row = FaultRow("power-cut", count: 3)
        let half = row.count / 2
        let share = row.with(count: format == "ext4" ? row.count - half : half)
        let broken = try share.run("power cuts, \(format)") { tally in
            var disk: LoopDisk?
            try Siege.campaign(share, tally) { seed in
                try begin(seed, &disk, format: format)
            } strike: { siege in
                let disk = try #require(disk)
                return try siege.strike {
                    try cut(siege, disk)
                } andRestart: {
                    try siege.runner.restart()
                }
            }
        }
        #expect(broken.isEmpty, "\(broken.prefix(10))")
    }

    @Test func `a runner that does not sync is caught`() throws {
        let row = FaultRow("power-cut", count: 3)
        let broken = try row.run("control: syncs do nothing") { tally in
            var disk: LoopDisk?
            var options = RunnerProcess.Options()
            options.supervised = false
            options.wrapper = [
                try Strace.path(), "-f", "-o", "/dev/null", "-e",
                "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:retval=0",
            ]
            let siege = try begin(row.seed, &disk, format: "ext4", options)
            var lost = 0
            while lost == 0 && tally.tried < 20 {
                guard try siege.press() else { continue }
                try cut(siege, try #require(disk))
                tally.tried += 1
                // A store that cannot even be opened is caught, too.
                guard try siege.runner.tryToRestart() else {
                    lost = siege.book.acknowledged.count
                    break
                }
                try siege.book.reconnect(Conversation(dealer: siege.runner.ipc))
                try siege.book.compareWithList()
                lost = siege.book.problems.count
            }
            tally.notes.append("\(lost) jobs lost, as it must be")
            if lost == 0 { tally.broken.append("It was not caught.") }
        }
        #expect(broken.isEmpty)
    }
}
