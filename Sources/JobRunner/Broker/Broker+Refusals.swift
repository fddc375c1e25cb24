internal import JobCore

// What the broker says by itself: that there is too much of something.

extension Message {
    /// What is said instead when the client has no room for it: nil for what cannot be asked for
    /// again.
    var later: Message? {
        switch reply {
        case .result(let result):
            let end = result.end
            return Message(to: to, .pending(end.id, end.state, retryAfterMs: 1_000))
        case .shown, .listed, .ended, .queues, .statistics, .about:
            return Message(to: to, .refused(.repliesNotTaken))
        default: return nil
        }
    }
}

extension Refusal {
    static let messageTooLarge = Refusal(
        413,
        "too_large",
        "The message is larger than the runner takes.",
        hint: "Send fewer jobs at a time; sys.info tells the limits."
    )

    static let repliesNotTaken = Refusal(
        429,
        "replies_not_taken",
        "This client has not taken its earlier replies.",
        hint: "Read the replies before sending more requests."
    )
}
