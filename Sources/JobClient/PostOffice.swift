internal import Glibc
internal import JobWire
internal import Synchronization
internal import ZeroMQ

/// The thread that owns the socket of an `AsyncJobClient`, so that no thread of Swift's pool ever
/// waits. Tasks hand it their letters, and are resumed with the answers.
final class PostOffice: Sendable {
    typealias Answer = Correspondence.Answer
    private typealias Waiter = CheckedContinuation<Answer, Never>

    private enum Errand {
        case ask(Letter, Int, Waiter)
        case forget(Int)
    }

    private struct Counter {
        var errands: [Errand] = []
        var isClosed = false
        var lastNumber = 0
        /// Letters of tasks that were cancelled, until those tasks have heard of it.
        var unwanted: Set<Int> = []
    }

    private let endpoint: String
    private let options: JobClient.Options
    private let counter = Mutex(Counter())
    private let bell: Bell

    /// Starts the thread, which ends with `close`.
    init(endpoint: String, options: JobClient.Options) throws(ClientError) {
        self.endpoint = endpoint
        self.options = options
        let bell = try Bell()
        self.bell = bell
        let context = try asClientError { () throws(ZeroMQError) in try Context() }
        // An endpoint that is none is refused here, not on the thread.
        _ = try asClientError { () throws(ZeroMQError) in
            try Connection(to: endpoint, options.keys, in: context)
        }
        try startThread { [self] in work(in: context) }
    }

    /// No letter is taken any more; those under way are answered `.closed`.
    func close() {
        counter.withLock { $0.isClosed = true }
        bell.ring()
    }

    /// A task that is cancelled hears `.cancelled`; what it asked for may be done all the same.
    func ask(_ letter: Letter) async -> Answer {
        let number = counter.withLock { counter in
            counter.lastNumber += 1
            return counter.lastNumber
        }
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { put(letter, number, $0) }
        } onCancel: {
            forget(number)
        }
        counter.withLock { _ = $0.unwanted.remove(number) }
        return answer
    }

    private func put(_ letter: Letter, _ number: Int, _ waiter: Waiter) {
        let refusal: ClientError? = counter.withLock { counter in
            if counter.isClosed { return .closed }
            if counter.unwanted.contains(number) { return .cancelled }
            counter.errands.append(.ask(letter, number, waiter))
            return nil
        }
        if let refusal { return waiter.resume(returning: .failure(refusal)) }
        bell.ring()
    }

    private func forget(_ number: Int) {
        counter.withLock { counter in
            counter.unwanted.insert(number)
            counter.errands.append(.forget(number))
        }
        bell.ring()
    }

    /// Nil when the office is closed.
    private func takeErrands() -> [Errand]? {
        bell.silence()
        return counter.withLock { counter in
            defer { counter.errands = [] }
            return counter.isClosed ? nil : counter.errands
        }
    }

    // MARK: The thread

    private func work(in context: Context) {
        var waiters: [Int: Waiter] = [:]
        do throws(ZeroMQError) {
            try carry(in: context, &waiters)
            end(&waiters, .closed)
        } catch {
            end(&waiters, .zeroMQ(error))
        }
    }

    private func carry(in context: Context, _ waiters: inout [Int: Waiter]) throws(ZeroMQError) {
        var correspondence = Correspondence(with: endpoint, options)
        var connection = try Connection(
            to: endpoint,
            options.keys,
            in: context,
            bell: bell.descriptor
        )
        while let errands = takeErrands() {
            let now = ContinuousClock.now
            for errand in errands { take(errand, &correspondence, &waiters, at: now) }
            while let message = try connection.nextIfAny() {
                if let reply = try? Response(message) { correspondence.hear(reply, at: now) }
            }
            correspondence.look(at: now)
            for action in correspondence.take() {
                switch action {
                case .send(let message): try connection.send(message)
                case .reconnect:
                    connection = try Connection(
                        to: endpoint,
                        options.keys,
                        in: context,
                        bell: bell.descriptor
                    )
                case .tell(let number, let answer):
                    waiters.removeValue(forKey: number)?.resume(returning: answer)
                }
            }
            try connection.wait(until: correspondence.due)
        }
    }

    private func take(
        _ errand: Errand,
        _ correspondence: inout Correspondence,
        _ waiters: inout [Int: Waiter],
        at now: ContinuousClock.Instant
    ) {
        switch errand {
        case .ask(let letter, let number, let waiter):
            waiters[number] = waiter
            correspondence.ask(letter, number: number, at: now)
        case .forget(let number):
            guard let waiter = waiters.removeValue(forKey: number) else { return }
            correspondence.forget(number, at: now)
            waiter.resume(returning: .failure(.cancelled))
        }
    }

    private func end(_ waiters: inout [Int: Waiter], _ error: ClientError) {
        let errands = counter.withLock { counter in
            counter.isClosed = true
            defer { counter.errands = [] }
            return counter.errands
        }
        for case .ask(_, _, let waiter) in errands { waiter.resume(returning: .failure(error)) }
        for waiter in waiters.values { waiter.resume(returning: .failure(error)) }
        waiters = [:]
    }
}

/// Two sockets, of which one wakes whoever polls it when the other is written to.
private final class Bell: Sendable {
    let descriptor: CInt
    private let rope: CInt

    init() throws(ClientError) {
        var ends: [CInt] = [-1, -1]
        let kind = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        guard socketpair(AF_UNIX, CInt(kind), 0, &ends) == 0 else { throw .noDescriptors }
        (descriptor, rope) = (ends[0], ends[1])
    }

    deinit {
        Glibc.close(descriptor)
        Glibc.close(rope)
    }

    /// When there is no room for the byte it rings already.
    func ring() {
        var byte: UInt8 = 0
        _ = write(rope, &byte, 1)
    }

    func silence() {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        while read(descriptor, &bytes, bytes.count) == bytes.count {}
    }
}

/// A thread of the operating system, outside of Swift's pool.
private func startThread(_ body: @escaping @Sendable () -> Void) throws(ClientError) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
    defer { pthread_attr_destroy(&attributes) }
    let work = Unmanaged.passRetained(Work(body))
    var thread = pthread_t()
    let failed = pthread_create(
        &thread,
        &attributes,
        { argument in
            guard let argument else { return nil }
            Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
            return nil
        },
        work.toOpaque()
    )
    guard failed == 0 else {
        work.release()
        throw .noThread
    }
}

private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
