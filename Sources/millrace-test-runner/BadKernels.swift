internal import Glibc
internal import JobRunner
internal import JobWire

/// `trap`: crashes in the thread that runs it, unless its input is `false`.
struct TrapKernel: Kernel {
    let name = "trap"

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        if input.raw == Array("false".utf8) { return .json(false) }
        let numbers = input.raw.map(Int.init)
        return .json(.integer(Int64(numbers[numbers.count + 1])))
    }
}

/// `exit`: ends the process without a crash, as a library may that calls `exit`; after a while if
/// `{"after_ms": n}` says so.
struct ExitKernel: Kernel {
    let name = "exit"

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        if let ms = (try? input.json())?["after_ms"]?.integerValue { usleep(UInt32(ms) * 1_000) }
        _exit(1)
    }
}

/// `end-thread`: ends its thread, the first time in this process; then it computes `true`.
struct EndThreadKernel: Kernel {
    let name = "end-thread"

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        if access(path(input), F_OK) == 0 { return .json(true) }
        close(creat(path(input), 0o600))
        pthread_exit(nil)
    }

    /// A file that says that a thread was ended already.
    private func path(_ input: KernelInput) -> String {
        (try? input.json())?["once"]?.stringValue ?? "/nowhere/at/all"
    }
}

/// `deaf`: blocks for `{"ms": n}`, whatever it is told meanwhile, and then computes `"late"`.
struct DeafKernel: Kernel {
    let name = "deaf"

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        let ms = try input.fields(["ms"]).integer("ms", in: 0...600_000)
        let deadline = ContinuousClock.now + .milliseconds(ms)
        while ContinuousClock.now < deadline { usleep(1_000) }
        return .json("late")
    }
}

/// `deep`: uses up its stack.
struct DeepKernel: Kernel {
    let name = "deep"

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        .json(.integer(depth(of: 1, run)))
    }

    private func depth(of level: Int64, _ run: KernelRun) -> Int64 {
        run.isCancelled ? level : depth(of: level + 1, run) + level % 2
    }
}

/// `greedy`: takes memory until there is none.
struct GreedyKernel: Kernel {
    let name = "greedy"

    func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
        var all: [[UInt8]] = []
        while !run.isCancelled { all.append([UInt8](repeating: 1, count: 16 << 20)) }
        return .json(.integer(Int64(all.count)))
    }
}
