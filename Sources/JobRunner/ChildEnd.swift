/// How a child process has ended.
enum ChildEnd: Equatable, CustomStringConvertible {
    case exit(Int32)
    case signal(Int32)
    /// It is gone, and somebody else was told how.
    case unknown

    /// As `waitpid` tells it.
    init(_ status: CInt) {
        let signal = status & 0x7F
        self = signal == 0 ? .exit(status >> 8 & 0xFF) : .signal(signal)
    }

    /// As shells tell it.
    var code: Int32 {
        switch self {
        case .exit(let code): code
        case .signal(let signal): 128 + signal
        case .unknown: RunnerExit.unfit
        }
    }

    var description: String {
        switch self {
        case .exit(let code): "exit code \(code)"
        case .signal(let signal): "signal \(signal)"
        case .unknown: "unknown"
        }
    }
}
