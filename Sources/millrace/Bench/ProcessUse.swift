internal import Glibc

/// What some processes have used so far, from proc(5).
struct ProcessUse {
    private(set) var cpuSeconds = 0.0
    /// How often one of their threads began to run after a wait.
    private(set) var wakeUps = 0
    private(set) var anonymousMiB = 0.0

    init(of processes: [pid_t]) {
        for process in processes {
            let kib = Self.number("RssAnon:", in: "/proc/\(process)/status")
            anonymousMiB += Double(kib) / 1_024
            for thread in ProcessFiles.names(in: "/proc/\(process)/task") {
                let path = "/proc/\(process)/task/\(thread)"
                wakeUps += Self.number("voluntary_ctxt_switches:", in: path + "/status")
                // In ns; ticks would be too coarse for what hardly ever runs.
                let times = ProcessFiles.text(path + "/schedstat").split(separator: " ")
                cpuSeconds += (times.first.flatMap { Double($0) } ?? 0) / 1e9
            }
        }
    }

    private static func number(_ name: String, in path: String) -> Int {
        let line = ProcessFiles.text(path).split(separator: "\n").first { $0.hasPrefix(name) }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
            ?? 0
    }
}
