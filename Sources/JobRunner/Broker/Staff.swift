internal import JobCore
internal import JobWire

/// What other threads hand to the broker.
enum BrokerLetter: Sendable {
    case event(Event)
    /// A large message of a client, of this many bytes, read by another thread.
    case heard(Heard, bytes: Int)
    /// The frames of a long reply, written by another thread.
    case written([[UInt8]], Message)
    /// A message of an external worker, or one for it, read or written by another thread.
    case readExternal(ExternalWord, ExternalEnvelope)
    case writtenExternal(Result<[[UInt8]], Failure>, ExternalMessage)
    /// Somebody has come in where events can be had.
    case subscriberCame
}

/// The mailboxes of the other threads.
struct Staff: Sendable {
    let audience = Audience()
    let writer = Mailbox<WriterLetter>()
    let reader = Mailbox<ReaderLetter>()
    let parser = Mailbox<ParserLetter>()
    /// Nil without external workers.
    let filler: Mailbox<FillerLetter>?
    let doorkeeper = Mailbox<Bool>()

    init(hasExternals: Bool) { filler = hasExternals ? Mailbox() : nil }
}
