internal import CLinux
internal import Glibc

/// Starts this program once more, as a child in a process group of its own: a Ctrl-C reaches it
/// once, through us. It has no signal ignored but what nohup ignores.
///
/// - Parameters:
///   - arguments: Its name first.
///   - descriptor: What it has of our descriptors beside the standard ones, and what it calls that
///     one; at least 3.
///   - signals: Those that are blocked in it from its first moment on.
///   - action: What is tried, as an infinitive.
/// - Returns: The child, to be waited for.
/// - Throws: Why there is none.
func spawnSelf(
    _ arguments: [String],
    giving descriptor: (CInt, as: CInt),
    blocking signals: [CInt] = [],
    to action: String
) throws(SystemError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let refused = [
        posix_spawn_file_actions_adddup2(&actions, descriptor.0, descriptor.as),
        clinux_close_from(&actions, descriptor.as + 1),
    ].first { $0 != 0 }
    if let refused { throw SystemError(code: refused, action: action) }

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
        Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
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
