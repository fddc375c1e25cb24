internal import ArgumentParser
internal import JobClient
internal import JobCore
internal import JobRunner

/// What the program's end tells other programs. From 64 on as in sysexits.h.
extension ExitCode {
    static let jobFailed = ExitCode(1)
    static let unknownJob = ExitCode(3)
    static let jobCancelled = ExitCode(4)
    static let notEnded = ExitCode(5)
    static let usage = ExitCode(64)
    static let noRunner = ExitCode(69)
    static let runnerFault = ExitCode(70)
    static let systemFault = ExitCode(71)
    static let stateTaken = ExitCode(73)
    static let tryAgain = ExitCode(75)
    /// Of `serve` alone; `check` is there to find them.
    static let wrongSettings = ExitCode(78)

    /// The code for a program that ends with this error.
    init(ending error: any Explained) {
        switch error {
        case ClientError.noRunner, ClientError.notLetIn: self = .noRunner
        case ClientError.timedOut: self = .tryAgain
        case ClientError.badReply: self = .runnerFault
        case ClientError.refused(let refusal): self.init(refusing: refusal.status)
        case RunnerError.unfitStore: self = ExitCode(RunnerExit.damaged)
        case RunnerError.storeNotReady: self = .tryAgain
        case is SystemError: self = .systemFault
        case is NoJobs: self = .unknownJob
        case is SettingsError, is BackupError, is BenchError: self = .failure
        case RunnerError.alreadyRunning: self = .stateTaken
        default: self = .usage
        }
    }

    private init(refusing status: Int) {
        switch status {
        case 404, 410: self = .unknownJob
        case 429, 503: self = .tryAgain
        case 500...: self = .runnerFault
        default: self = .usage
        }
    }

    /// The code for a job in this state.
    init(of state: JobState) {
        switch state {
        case .succeeded: self = .success
        case .failed: self = .jobFailed
        case .cancelled: self = .jobCancelled
        case .queued, .running: self = .notEnded
        }
    }

    /// The code for several jobs: the first of these that one of them has.
    static func worst(of codes: some Sequence<ExitCode>) -> ExitCode {
        let order: [ExitCode] = [
            .jobFailed, .unknownJob, .jobCancelled, .notEnded, .runnerFault, .tryAgain, .usage,
        ]
        let found = Array(codes)
        return order.first { found.contains($0) } ?? .success
    }
}
