internal import JobCore
internal import Synchronization

/// What is handed to the publisher's thread.
enum PublisherLetter: Sendable {
    /// What was announced at this moment, in its order. Before it, so many were dropped.
    case announced([Announcement], at: Timestamp, dropped: Int64)
    /// The thread is to end.
    case stop
}

/// Those who listen, as broker and publisher know them: whether there are any, what is on its way
/// to them, and what has come of it.
final class Audience: Sendable {
    let inbox = Mailbox<PublisherLetter>()
    /// Announcements on their way to the publisher at most.
    private let most: Int
    private let subscribed = Atomic(0)
    private let waiting = Atomic(0)
    private let published = Atomic<Int64>(0)
    private let dropped = Atomic<Int64>(0)
    /// Dropped since the last letter.
    private let untold = Atomic<Int64>(0)

    init(most: Int = Limits.announcements) { self.most = most }

    // MARK: For the broker

    /// Whether somebody has subscribed to anything.
    var isThere: Bool { subscribed.load(ordering: .relaxed) > 0 }

    /// Leaves announcements for the publisher, or drops and counts them, all together, when too
    /// many are on their way to it.
    func tell(_ announcements: [Announcement], at now: Timestamp) {
        let count = announcements.count
        guard waiting.load(ordering: .relaxed) + count <= most else {
            untold.add(Int64(count), ordering: .relaxed)
            dropped.add(Int64(count), ordering: .relaxed)
            return
        }
        waiting.add(count, ordering: .relaxed)
        let before = untold.exchange(0, ordering: .relaxed)
        inbox.put(.announced(announcements, at: now, dropped: before))
    }

    var counts: AnnouncementCounts {
        var counts = AnnouncementCounts()
        counts.subscriptions = Int64(subscribed.load(ordering: .relaxed))
        counts.published = published.load(ordering: .relaxed)
        counts.dropped = dropped.load(ordering: .relaxed)
        return counts
    }

    // MARK: For the publisher

    func hasSubscribed(to topics: Int) { subscribed.store(topics, ordering: .relaxed) }

    /// So many announcements are on their way no more.
    func arrived(_ count: Int) { waiting.subtract(count, ordering: .relaxed) }

    func wasPublished() { published.add(1, ordering: .relaxed) }

    /// A subscriber has missed something.
    func wasMissed() { dropped.add(1, ordering: .relaxed) }
}
