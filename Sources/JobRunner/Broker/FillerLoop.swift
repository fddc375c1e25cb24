internal import JobCore
internal import JobWire

/// What the filler's thread is asked for.
enum FillerLetter: Sendable {
    /// Put the results into this order, until the run is cancelled.
    case fill(ExternalMessage, KernelRun)
    /// The thread is to end.
    case stop
}

/// Puts the results of other jobs into the orders of external workers, which have no store to read
/// them from. A thread of its own does so, one order after the other: a large result, or many
/// paths into it, takes its time.
struct FillerLoop {
    let input: StoredInput
    let inbox: Mailbox<FillerLetter>
    let answers: Mailbox<BrokerLetter>

    /// Until it is told to stop.
    func run() {
        while true {
            for letter in inbox.wait() {
                guard case .fill(let message, let run) = letter else { return }
                // Nobody waits for what was called off before its turn.
                if run.isCancelled { continue }
                answers.put(.writtenExternal(filled(message, run), message))
            }
        }
    }

    private func filled(
        _ message: ExternalMessage,
        _ run: KernelRun
    ) -> Result<[[UInt8]], Failure> {
        guard case .request(let address, let body, let frames) = message.word else {
            return Result(writing: message)
        }
        var order = Order(
            sequence: 0,
            job: address.job,
            attempt: address.attempt,
            phase: .run,
            kind: .compute,
            timeoutMs: 0,
            parts: 1,
            body: body,
            frames: frames,
            outputs: []
        )
        order.sources = message.sources
        do throws(Failure) { order = try input.fill(order, run) } catch { return .failure(error) }
        let word = ExternalMessage.Word.request(address, body: order.body, frames: order.frames)
        return Result(writing: ExternalMessage(to: message.to, word))
    }
}

/// The orders that the filler has, by whom they are for: nobody has more than one.
struct Fillings {
    private var runs: [ClientID: (address: OrderAddress?, run: KernelRun)] = [:]

    /// - Returns: What breaks it off.
    mutating func begin(_ message: ExternalMessage) -> KernelRun {
        let run = KernelRun()
        end(for: message.to)
        runs[message.to] = (message.address, run)
        return run
    }

    /// The worker has no order any more.
    mutating func end(for worker: ClientID) { runs.removeValue(forKey: worker)?.run.cancel() }

    mutating func wasFilled(_ message: ExternalMessage) {
        guard runs[message.to]?.address == message.address else { return }
        runs[message.to] = nil
    }
}
