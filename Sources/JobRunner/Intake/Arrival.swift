/// How a file came to our notice.
enum Arrival: Equatable {
    /// It was renamed into the directory: its producer has finished it.
    case movedIn
    /// Somebody who could write to it has closed it.
    case closed
    /// It was found by looking.
    case found
}

/// What a file looked like when it was seen first with this size and time of change.
struct Sighting: Equatable {
    var entry: Entry
    /// On the monotonic clock, in ms.
    var since: Int64
    /// A writer has closed it, and it has not changed since.
    var isClosed = false
    /// Nobody can tell whether it is being written, and no writer was seen to close it.
    var isBlind = false

    /// How long a file must stay unchanged of which nobody can tell more, in ms.
    private static let blindMs: Int64 = 60_000

    /// From when on it has been unchanged for long enough.
    func due(after stillness: Int64) -> Int64 { since + (isBlind ? Self.blindMs : stillness) }
}

/// One look at a file whose name says that it has jobs.
struct Look {
    var entry: Entry
    var arrival: Arrival
    /// What was seen of it last.
    var last: Sighting?
    /// On the monotonic clock, in ms.
    var now: Int64
    /// How long a file that was not renamed in must stay unchanged, in ms.
    var stillness: Int64
    /// Whether somebody has it open for writing; nil when nobody can tell.
    var isBeingWritten: () -> Bool?
}

/// What to do about a name in the jobs directory.
enum Decision: Equatable {
    /// It is none of ours.
    case ignore
    /// Somebody may have meant it for a job: it is shown, with the reason, and left where it is.
    case list(String)
    /// Look again once it was still for long enough.
    case watch(Sighting)
    /// What is no regular file is taken too, and refused.
    case take
}

extension Decision {
    /// Longest name, in bytes: what is put before and behind it must fit into the system's 255.
    static let nameBytesMax = 200

    /// Endings of files that are being written or were left over by editors.
    private static let passing = ["~", ".tmp", ".part", ".partial", ".swp"]

    /// By the name alone; nil when the file has to be looked at.
    init?(name: String) {
        if name.utf8.first == UInt8(ascii: ".") || Self.passing.contains(where: name.hasSuffix) {
            self = .ignore
        } else if JobFile(fileName: name) == nil {
            self = .list(
                RowsFile.isName(name)
                    ? "It waits for a file of jobs that names it in each."
                    : "Its name must end in one of \(JobFile.extensions)."
            )
        } else if name.utf8.count > Self.nameBytesMax {
            self = .list("Its name is longer than \(Self.nameBytesMax) bytes.")
        } else {
            return nil
        }
    }

    /// A file that is finished is taken: it was renamed in or has stayed unchanged, and nobody has
    /// it open for writing. Where that cannot be known, a writer must have closed it, or it must
    /// have stayed unchanged for much longer.
    init(_ look: Look) {
        guard look.entry.kind == .regular else {
            self = look.entry.kind == .directory ? .ignore : .take
            return
        }
        let seenNow = Sighting(entry: look.entry, since: look.now)
        var sighting = seenNow
        if let last = look.last, last.entry == look.entry { sighting = last }
        if look.arrival == .closed { sighting.isClosed = true }
        sighting.isBlind = false
        let isMovedIn = look.arrival == .movedIn
        guard isMovedIn || look.now >= sighting.due(after: look.stillness) else {
            self = .watch(sighting)
            return
        }
        switch look.isBeingWritten() {
        case true?: self = .watch(seenNow)
        case nil where !isMovedIn && !sighting.isClosed:
            sighting.isBlind = true
            self = look.now >= sighting.due(after: look.stillness) ? .take : .watch(sighting)
        default: self = .take
        }
    }
}
