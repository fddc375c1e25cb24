internal import CLinux
internal import Glibc

/// The threads that make up a runner, beside its workers. They run no job: a crash of one of them
/// is no job's fault. The system knows them by these names.
enum RunnerThread: String, CaseIterable {
    case broker, doorkeeper, filler, intake, parser, publisher, reader, writer
}

/// A thread of the operating system, outside of Swift's cooperative pool, which must never block.
/// For those that are there from the start: without them there is no runner.
func startThread(
    _ thread: RunnerThread,
    ended: @escaping @Sendable () -> Void = {},
    _ body: @escaping @Sendable () -> Void
) {
    let hasStarted = tryToStartThread(thread.rawValue, ended: ended, body)
    precondition(hasStarted, "a thread can be had: there are few at the start")
}

/// A thread, as long as the system has one left.
///
/// - Parameters:
///   - name: At most 15 bytes are shown by the system.
///   - stackBytes: Deep recursion in SQLite's parser and in kernels needs no more.
///   - ended: The thread's last act.
///   - body: Runs on the new thread. When it returns, or the thread ends in any other way that
///     leaves the process alive, `ended` is called on it.
/// - Returns: False when there is none: nothing is called then.
package func tryToStartThread(
    _ name: String,
    stackBytes: Int = 8 << 20,
    ended: @escaping @Sendable () -> Void = {},
    _ body: @escaping @Sendable () -> Void
) -> Bool {
    let start = ThreadStart(name: name, body: body, ended: ended)
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, stackBytes)
    defer { pthread_attr_destroy(&attributes) }

    var thread = pthread_t()
    let argument = Unmanaged.passRetained(start)
    let failed = pthread_create(&thread, &attributes, runThread, argument.toOpaque())
    if failed != 0 { argument.release() }
    return failed == 0
}

private final class ThreadStart: Sendable {
    let name: String
    let body: @Sendable () -> Void
    let ended: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void, ended: @escaping @Sendable () -> Void)
    {
        self.name = name
        self.body = body
        self.ended = ended
    }
}

private final class ThreadEnd: Sendable {
    let ended: @Sendable () -> Void

    init(_ ended: @escaping @Sendable () -> Void) { self.ended = ended }
}

/// Its destructor runs when a thread ends, also by `pthread_exit` in somebody's kernel. When the
/// thread's body has returned, it and what it alone has kept are gone by then.
private let deathbed: pthread_key_t = {
    var key = pthread_key_t()
    let failed = pthread_key_create(&key) { value in
        guard let value else { return }
        Unmanaged<ThreadEnd>.fromOpaque(value).takeRetainedValue().ended()
    }
    precondition(failed == 0, "a thread-specific key can be had")
    return key
}()

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
    pthread_setspecific(deathbed, Unmanaged.passRetained(ThreadEnd(start.ended)).toOpaque())
    _ = clinux_name_thread(start.name)
    start.body()
    return nil
}
