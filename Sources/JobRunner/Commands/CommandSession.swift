internal import Glibc

/// The processes of one command: those of its keeper's session. It is written down, so that they
/// are found after a crash that took keeper and runner at once.
struct CommandSession: Equatable {
    /// Between two looks at what is left.
    private static let lookMs: CInt = 10

    /// The keeper's process, which leads the session.
    let id: pid_t
    /// When the keeper was started, see `ListedProcess`, and in which life of the machine.
    let startTicks: UInt64
    let boot: String

    init(id: pid_t, startTicks: UInt64, boot: String) {
        self.id = id
        self.startTicks = startTicks
        self.boot = boot
    }

    /// Nil where the kernel does not tell enough: then something else ends what is left of a
    /// service.
    init?(of keeper: pid_t) {
        guard let boot = ListedProcess.boot, let process = ListedProcess(keeper) else { return nil }
        self.init(id: keeper, startTicks: process.startTicks, boot: boot)
    }

    /// As it is written down.
    var text: String { "\(id) \(startTicks) \(boot)\n" }

    init?(_ text: String) {
        let words = text.split { $0 == " " || $0 == "\n" }
        guard words.count == 3, let id = pid_t(words[0]), id > 1, let ticks = UInt64(words[1])
        else { return nil }
        self.init(id: id, startTicks: ticks, boot: String(words[2]))
    }

    /// Those that run. Its number is nobody else's while there is one of them.
    var processes: [pid_t] {
        guard ListedProcess.boot == boot else { return [] }
        let leader = ListedProcess(id)
        guard (leader?.startTicks ?? startTicks) == startTicks else { return [] }
        return ListedProcess.all.filter { $0.session == id && !$0.isZombie }.map(\.id)
    }

    /// Ends them, after so much time to end by themselves, and waits until they are gone.
    ///
    /// - Returns: False when some have not gone within `patience`.
    func end(after pause: Duration = .zero, patience: Duration) -> Bool {
        let start = ContinuousClock.now
        while true {
            let rest = processes
            if rest.isEmpty { return true }
            let passed = ContinuousClock.now - start
            if passed >= patience { return false }
            if passed >= pause { for process in rest { kill(process, SIGKILL) } }
            poll(nil, 0, Self.lookMs)
        }
    }
}
