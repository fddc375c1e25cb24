internal import CLinux
internal import Glibc

/// The keeper of one command: this program, started again in a session of its own. It starts the
/// command's program, passes signals on to it, and ends everything that came of it when the program
/// has ended, or when the runner is gone.
///
/// It adopts what the program leaves behind, so that it knows when nothing of the command runs any
/// more. It has one thread and does nothing but wait.
enum CommandKeeper {
    /// Where the process finds its end of the channel. Its standard streams are the program's.
    static let descriptor: CInt = 3
    /// The word by which the process knows what it is for. No command line of a user begins so.
    private static let word = "--millrace-command"

    static var arguments: [String] { [CommandLine.arguments.first ?? "millrace", word] }

    static func runIfAsked() {
        guard CommandLine.arguments.dropFirst().first == word else { return }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        keep(FrameChannel(descriptor: descriptor))
    }

    private static func keep(_ channel: FrameChannel) -> Never {
        guard clinux_adopt_orphans() == 0,
            let launch = try? Launch(channel.receive(atMost: .max))
        else { _exit(RunnerExit.unfit) }

        let children = watchChildren()
        let end: KeptEnd
        do throws(SystemError) {
            let program = try start(launch)
            leaveStreams()
            end = .ended(wait(for: program, channel, children))
        } catch {
            end = .notStarted(error.code)
        }
        try? channel.send(end.frames)
        _exit(RunnerExit.stopped)
    }

    /// - Returns: What is readable when a child has ended.
    private static func watchChildren() -> CInt {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGCHLD)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        return clinux_signalfd(&signals)
    }

    /// The program's ends of its streams are the program's alone.
    private static func leaveStreams() {
        let nothing = open("/dev/null", O_RDWR | O_CLOEXEC)
        for stream in STDIN_FILENO...STDERR_FILENO { dup2(nothing, stream) }
        close(nothing)
    }

    // MARK: The program

    private static func start(_ launch: Launch) throws(SystemError) -> pid_t {
        let action = "start \(launch.program)"
        var ends: [CInt] = [-1, -1]
        guard clinux_pipe(&ends) == 0 else { throw .last(action) }
        defer { close(ends[0]) }
        let keeper = getpid()
        let arguments = launch.arguments.map { strdup($0) } + [nil]
        let environment = launch.environment.map { strdup($0) } + [nil]
        let program = clinux_fork()
        if program == 0 {
            if prepare(for: launch, of: keeper) {
                execve(launch.program, arguments, environment)
            }
            var failure = errno
            _ = write(ends[1], &failure, MemoryLayout<CInt>.size)
            _exit(RunnerExit.unfit)
        }
        let failedToFork = errno
        close(ends[1])
        guard program > 0 else { throw SystemError(code: failedToFork, action: action) }

        // Its end is closed by the program's start, and written to when there is none.
        var failure: CInt = 0
        let size = MemoryLayout<CInt>.size
        var count = 0
        repeat { count = read(ends[0], &failure, size) } while count < 0 && errno == EINTR
        guard count == size else { return program }
        while waitpid(program, nil, 0) < 0, errno == EINTR {}
        throw SystemError(code: failure, action: action)
    }

    /// Makes the process that is to become the program what it shall be.
    ///
    /// - Returns: False when something failed, with `errno`.
    private static func prepare(for launch: Launch, of keeper: pid_t) -> Bool {
        // What ends the keeper ends the program, too; and no program's set-user-ID bit undoes that.
        guard setpgid(0, 0) == 0, clinux_die_with_parent(SIGKILL) == 0, clinux_forgo_rights() == 0
        else { return false }
        if getppid() != keeper { _exit(RunnerExit.stopped) }
        guard chdir(launch.workingDirectory) == 0 else { return false }
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        // From here on this process, too, can hardly get any memory.
        let memory = __rlimit_resource_t(RLIMIT_AS.rawValue)
        var limit = rlimit()
        guard getrlimit(memory, &limit) == 0 else { return false }
        // Who is not root may not raise what whoever started the runner has set.
        let most = min(rlim_t(clamping: launch.memoryBytes), limit.rlim_max)
        limit = rlimit(rlim_cur: most, rlim_max: most)
        return setrlimit(memory, &limit) == 0
    }

    // MARK: Its end

    /// - Returns: How the program has ended, when nothing of the command is left. When the runner
    ///   is gone it does not return.
    private static func wait(
        for program: pid_t,
        _ channel: FrameChannel,
        _ children: CInt
    ) -> ChildEnd {
        while true {
            var items = [
                pollfd(fd: channel.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: children, events: Int16(POLLIN), revents: 0),
            ]
            _ = poll(&items, nfds_t(items.count), -1)
            while clinux_next_signal(children) > 0 {}
            if hasEnded(program) { return endAll(of: program) }
            guard items[0].revents != 0 else { continue }
            guard let signal = try? PassedSignal(channel.receive(atMost: 16)) else {
                _ = endAll(of: program)
                _exit(RunnerExit.stopped)
            }
            kill(-program, signal.number)
        }
    }

    /// Waits for the orphans that have ended, but not for the program: while nobody has, its
    /// process group is no other's.
    private static func hasEnded(_ program: pid_t) -> Bool {
        while true {
            let child = clinux_ended_child()
            if child == program { return true }
            guard child > 0 else { return false }
            waitpid(child, nil, 0)
        }
    }

    /// Ends all that the program has started and that runs, also what has left its group: each such
    /// process becomes a child of this one, at the latest when its parent has been waited for.
    private static func endAll(of program: pid_t) -> ChildEnd {
        kill(-program, SIGKILL)
        var end = ChildEnd.unknown
        while true {
            let rest = ListedProcess.ownChildren
            for child in rest ?? [] { kill(child, SIGKILL) }
            var found: CInt = 0
            // Who cannot be told of children waits for none that may run for ever.
            let child = waitpid(-1, &found, rest == nil ? WNOHANG : 0)
            if child == program { end = ChildEnd(found) }
            if child == 0 || (child < 0 && errno != EINTR) { return end }
        }
    }
}
