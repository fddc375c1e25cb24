internal import CLinux
internal import Glibc

/// What a child of ours is apart from us.
enum Apart {
    /// A Ctrl-C reaches it once, through us.
    case processGroup
    /// It has no terminal either.
    case session

    fileprivate var flag: Int16 {
        switch self {
        case .processGroup: Int16(POSIX_SPAWN_SETPGROUP)
        case .session: Int16(POSIX_SPAWN_SETSID)
        }
    }
}

/// Starts this program once more, as a child in a process group or session of its own. It has no
/// signal ignored but what nohup ignores.
///
/// - Parameters:
///   - arguments: Its name first.
///   - descriptors: What it has of our descriptors, and what it calls them: the standard ones,
///     where it shall have others than we do, then one that is at least 3. Beyond that it has none.
///   - apart: What it has of its own.
///   - signals: Those that are blocked in it from its first moment on.
///   - action: What is tried, as an infinitive.
/// - Returns: The child, to be waited for.
/// - Throws: Why there is none.
func spawnSelf(
    _ arguments: [String],
    giving descriptors: [(CInt, as: CInt)],
    apart: Apart = .processGroup,
    blocking signals: [CInt] = [],
    to action: String
) throws(SystemError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    var answers = descriptors.map { ours, others in
        posix_spawn_file_actions_adddup2(&actions, ours, others)
    }
    let last = descriptors.last?.as ?? STDERR_FILENO
    answers.append(clinux_close_from(&actions, last + 1))
    if let refused = answers.first(where: { $0 != 0 }) {
        throw SystemError(code: refused, action: action)
    }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var blocked = sigset_t()
    sigemptyset(&blocked)
    for signal in signals { sigaddset(&blocked, signal) }
    posix_spawnattr_setsigmask(&attributes, &blocked)
    var defaults = sigset_t()
    sigfillset(&defaults)
    if isIgnored(SIGHUP) { sigdelset(&defaults, SIGHUP) }
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
        &attributes,
        apart.flag | Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
    )

    let words = arguments.map { strdup($0) }
    defer { words.forEach { free($0) } }
    var child = pid_t()
    let failed = posix_spawn(
        &child,
        "/proc/self/exe",
        &actions,
        &attributes,
        words + [nil],
        Glibc.environ
    )
    guard failed == 0 else { throw SystemError(code: failed, action: action) }
    return child
}

func isIgnored(_ signal: CInt) -> Bool {
    var action = sigaction()
    sigaction(signal, nil, &action)
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
        == unsafeBitCast(SIG_IGN, to: Int.self)
}
