internal import Foundation
internal import Glibc
internal import JobCore
internal import JobRunner
internal import JobStorage
internal import Logging

/// `millrace serve` with kernels that misbehave, for tests alone. It takes the same flags, as far
/// as tests use them. `MILLRACE_TEST_STORE` gives it a store that does not keep its promises, for
/// the controls of tests: `hasty` tells facts before they are safe from a kill, `unsynced` before
/// they are safe from a power cut. With `MILLRACE_TEST_AGAIN` it waits after its end for another
/// SIGTERM, and runs once more in the same process. With `MILLRACE_TEST_EMBEDDED` it is a program
/// that has a runner within it.
@main struct TestRunner {
    static func main() throws {
        var kernels = KernelRegistry.standard
        try kernels.register(TrapKernel())
        try kernels.register(ExitKernel())
        try kernels.register(EndThreadKernel())
        try kernels.register(DeafKernel())
        try kernels.register(DeepKernel())
        try kernels.register(GreedyKernel())
        try kernels.register(PiecesKernel())
        try kernels.register(BytesKernel())
        Runner.computeIfAsked(kernels)
        let arguments = Arguments(CommandLine.arguments.dropFirst())
        let settings = try Settings(reading: arguments.sources)
        let log = Logger(label: "millrace-test-runner")
        if !arguments.isAlone && arguments.lock == nil {
            let words =
                CommandLine.arguments + ["--lock-descriptor", "\(Supervisor.lockDescriptor)"]
            let supervisor = Supervisor(
                stateDirectory: settings.stateDirectory,
                arguments: words,
                log: log
            )
            exit(try supervisor.run())
        }
        if arguments.lock != nil { dieWithSupervisor() }
        registerDeafSQL()
        var runner = Runner(settings, kernels: kernels, log: log)
        switch arguments.sources.environment["MILLRACE_TEST_STORE"] {
        case "hasty":
            runner.openStore = { path, limits throws(StoreError) in
                try HastyStore(path: path, limits: limits)
            }
        case "unsynced":
            runner.openStore = { path, limits throws(StoreError) in
                try JobStore(path: path, limits: limits, sync: .normal)
            }
        default: break
        }
        if arguments.sources.environment["MILLRACE_TEST_EMBEDDED"] != nil {
            EmbeddingProgram.run(runner)
        }
        var end = try run(runner, arguments)
        if arguments.sources.environment["MILLRACE_TEST_AGAIN"] != nil {
            print("The runner has ended.")
            fflush(nil)
            waitForStop()  // The runner has blocked it, to wait for it in its own way.
            end = try run(runner, arguments)
        }
        fflush(nil)
        _exit(end == .startAgain ? RunnerExit.startAgain : RunnerExit.stopped)
    }

    private static func run(_ runner: Runner, _ arguments: Arguments) throws -> Runner.End {
        try runner.run(lock: arguments.lock) { endpoints in
            print("millrace takes jobs at \(endpoints.joined(separator: ", ")).")
            fflush(nil)
        }
    }

}

/// Waits for SIGTERM, which is blocked in this thread.
func waitForStop() {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    var signal: CInt = 0
    sigwait(&signals, &signal)
}

/// The flags of `millrace serve` that `RunnerProcess` gives.
private struct Arguments {
    var sources: SettingsSources
    var lock: CInt?
    var isAlone = false

    init(_ words: ArraySlice<String>) {
        sources = SettingsSources(
            environment: ProcessInfo.processInfo.environment,
            workingDirectory: FileManager.default.currentDirectoryPath,
            cores: 2
        )
        var words = words.dropFirst()
        while let name = words.popFirst() {
            if name == "--no-supervise" {
                isAlone = true
                continue
            }
            guard let value = words.popFirst() else { return }
            switch name {
            case "--state": sources.flags.state = value
            case "--spool": sources.flags.spool = value
            case "--listen": sources.flags.listen.append(value)
            case "--workers": sources.flags.workers = Int(value)
            case "--database": sources.flags.databases.append(value)
            case "--lock-descriptor": lock = CInt(value)
            default: preconditionFailure("tests give no flag \(name)")
            }
        }
    }
}
