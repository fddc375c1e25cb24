internal import CSQLite
internal import Glibc

/// Bounds the memory and the stack that SQLite takes for the work of one thread.
///
/// SQLite itself has only limits for the whole process: there, one client's giant sort would make
/// the store's next write fail too. So SQLite gets its memory from here, which counts by thread.
/// Call it on the thread that steps the statements; a connection whose memory was taken on another
/// thread is counted from where it is now.
///
/// The stack is looked after here because SQLite compiles triggers and views that use each other by
/// recursion, without a bound of its own, and each step of it asks for memory: ten thousand tables
/// whose triggers write to the next one would end the process.
public enum SQLiteMemory {
    /// False when SQLite was in use in this process before us. Then nothing is limited.
    public static var isLimitable: Bool { isInstalled }

    /// Runs `body`; when SQLite's memory for this thread has grown by `bytes`, its stack is nearly
    /// used up, or `mayGoOn` is false, the running statement fails as `isNoMemory`.
    ///
    /// The question ends what the progress check does not see: a single row of many long values,
    /// and the compiling of a statement. It is asked now and then, and must not use SQLite.
    public static func limiting<Result, Failure: Error>(
        to bytes: Int,
        mayGoOn: @escaping () -> Bool = { true },
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let account = Account.ofThisThread()
        let before = (account.most, account.mayGoOn, account.isWatching)
        let (most, isEndless) = account.used.addingReportingOverflow(bytes)
        account.most = isEndless ? .max : most
        account.mayGoOn = mayGoOn
        account.isWatching = true
        account.refusal = nil
        defer { (account.most, account.mayGoOn, account.isWatching) = before }
        return try body()
    }

    /// Why the last closure under `limiting` on this thread was refused memory, if it was.
    public enum Refusal: Sendable { case memory, stack, time }

    public static var refusal: Refusal? { Account.known?.refusal }

    /// Must run before the first connection is opened.
    static func prepare() { _ = isInstalled }

    private static let isInstalled: Bool = {
        var methods = sqlite3_mem_methods(
            xMalloc: { allocate(Int($0)) },
            xFree: { release($0) },
            xRealloc: { resize($0, to: Int($1)) },
            xSize: { Int32(clamping: malloc_usable_size($0)) },
            xRoundup: { ($0 &+ 7) & ~7 },
            xInit: { _ in SQLITE_OK },
            xShutdown: { _ in },
            pAppData: nil
        )
        guard csqlite_allocate_by(&methods) == SQLITE_OK else { return false }
        // SQLite's own count takes a lock that all threads share, at every allocation.
        return csqlite_count_memory(0) == SQLITE_OK
    }()
}

/// What one thread's SQLite work has taken.
private final class Account {
    /// Bytes taken less bytes given back since the account was made; may be below zero.
    var used = 0
    var most = Int.max
    var mayGoOn: () -> Bool = { true }
    var refusal: SQLiteMemory.Refusal?
    var isWatching = false
    /// Until the next question: allocations, and their bytes.
    private var count = 0
    private var bytes = 0
    /// The lowest address that SQLite's stack may reach.
    private let floor: UInt

    private init() {
        var lowest: UInt = 0
        var size = 0
        csqlite_find_stack(&lowest, &size)
        floor = lowest + min(Self.stackReserve, UInt(size) / 4)
    }

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let code = pthread_key_create(&key) { account in
            if let account { Unmanaged<Account>.fromOpaque(account).release() }
        }
        precondition(code == 0, "no thread-specific key is left")
        return key
    }()

    /// Nil on threads that never had a limit: they pay for nothing.
    static var known: Account? {
        pthread_getspecific(key).map { Unmanaged<Account>.fromOpaque($0).takeUnretainedValue() }
    }

    static func ofThisThread() -> Account {
        if let known { return known }
        let account = Account()
        pthread_setspecific(key, Unmanaged.passRetained(account).toOpaque())
        return account
    }

    /// A look at the clock is worth so many bytes or allocations: some ten microseconds.
    private static let bytesBetweenLooks = 64 << 10
    private static let countBetweenLooks = 256
    /// What is left of the stack for what does not ask for memory.
    private static let stackReserve: UInt = 1 << 20

    func allows(_ more: Int) -> Bool {
        guard isWatching else { return true }
        if used + more > most { return refuse(.memory) }
        if csqlite_stack_position() < floor { return refuse(.stack) }
        count += 1
        bytes += more
        guard bytes >= Self.bytesBetweenLooks || count >= Self.countBetweenLooks else {
            return true
        }
        (count, bytes) = (0, 0)
        return mayGoOn() || refuse(.time)
    }

    private func refuse(_ why: SQLiteMemory.Refusal) -> Bool {
        refusal = why
        return false
    }
}

private func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
    guard let account = Account.known else { return malloc(size) }
    guard account.allows(size), let memory = malloc(size) else { return nil }
    account.used += malloc_usable_size(memory)
    return memory
}

private func release(_ memory: UnsafeMutableRawPointer?) {
    if let account = Account.known { account.used -= malloc_usable_size(memory) }
    free(memory)
}

private func resize(_ memory: UnsafeMutableRawPointer?, to size: Int) -> UnsafeMutableRawPointer? {
    guard let account = Account.known else { return realloc(memory, size) }
    let before = malloc_usable_size(memory)
    guard account.allows(size - before), let resized = realloc(memory, size) else { return nil }
    account.used += malloc_usable_size(resized) - before
    return resized
}
