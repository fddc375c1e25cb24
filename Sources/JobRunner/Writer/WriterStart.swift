internal import Glibc
internal import JobCore
internal import JobStorage
internal import Logging

/// Starts the writer: the store is opened, and what the last run left is settled, on the thread
/// that owns the store from then on.
struct WriterStart: Sendable {
    private let open: @Sendable () throws(StoreError) -> any WriterStore
    private let limits: Limits
    private let ledger: InFlightLedger
    private let time: any TimeSource
    private let log: Logger
    private let alarm: Alarm

    init(
        _ open: @escaping @Sendable () throws(StoreError) -> any WriterStore,
        _ limits: Limits,
        _ ledger: InFlightLedger,
        _ time: any TimeSource,
        _ log: Logger,
        _ alarm: Alarm
    ) {
        self.open = open
        self.limits = limits
        self.ledger = ledger
        self.time = time
        self.log = log
        self.alarm = alarm
    }

    /// - Throws: Why the store cannot be used.
    func start(
        inbox: Mailbox<WriterLetter>,
        facts: Mailbox<BrokerLetter>
    ) throws(StoreError) -> Recovery {
        let opened = Mailbox<Result<Recovery, StoreError>>()
        startThread(.writer) { [self] in
            do throws(StoreError) {
                let store = try open()
                let now = time.now()
                let recovery = try store.recover(inFlight: ledger.inFlight(at: now), at: now)
                opened.put(.success(recovery))
                let loop = WriterLoop(
                    store,
                    recovery.run,
                    inbox: inbox,
                    facts: facts,
                    time,
                    alarm,
                    mostLogBytes: limits.logBytes
                )
                run(loop)
            } catch {
                opened.put(.failure(error))
            }
        }
        guard let outcome = opened.wait().first else {
            preconditionFailure("the writer answers when its store is open, or why it is not")
        }
        return try outcome.get()
    }

    /// An error of the disk ends the process at once: pages that were thought to be written may be
    /// gone from the cache. The next start reads what is really there.
    private func run(_ loop: WriterLoop) {
        do throws(StoreError) {
            try loop.work()
        } catch {
            log.critical("The store is unfit.", metadata: ["reason": "\(error.summary)"])
            ledger.forgive()
            _exit(RunnerExit.unfit)
        }
    }
}

/// How the runner's process ends, for whoever supervises it.
public enum RunnerExit {
    /// Stopped as asked.
    public static let stopped: Int32 = 0
    /// The store is damaged or is none: starting again would change nothing. As EX_DATAERR of
    /// sysexits.h.
    public static let damaged: Int32 = 65
    /// In the middle of the work: start again.
    public static let unfit: Int32 = 70
    /// On purpose, in order to be started again.
    public static let startAgain: Int32 = 75
}
