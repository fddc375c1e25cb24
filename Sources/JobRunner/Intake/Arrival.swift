/// How a file came to our notice.
enum Arrival: Equatable {
    /// It was renamed into the directory: its producer has finished it.
    case movedIn
    /// It was written in place and closed, or was found by looking.
    case found
}

/// What a file looked like when it was seen first with this size and time of change.
struct Sighting: Equatable {
    var entry: Entry
    /// On the monotonic clock, in ms.
    var since: Int64
}

/// What to do about a name in the jobs directory.
enum Decision: Equatable {
    /// It is none of ours.
    case ignore
    /// Somebody may have meant it for a job: it is shown, with the reason, and left where it is.
    case list(String)
    /// Look again once it was still for long enough.
    case watch(Sighting)
    /// Take it, if nobody has it open for writing. What is no regular file is taken too, and
    /// refused.
    case take
}

extension Decision {
    /// Longest name, in bytes: what is put before and behind it must fit into the system's 255.
    static let nameBytesMax = 200

    /// Endings of files that are being written or were left over by editors.
    private static let passing = ["~", ".tmp", ".part", ".partial", ".swp"]

    /// By the name alone; nil when the file has to be looked at.
    init?(name: String) {
        if name.hasPrefix(".") || Self.passing.contains(where: name.hasSuffix) {
            self = .ignore
        } else if JobFile(fileName: name) == nil {
            self = .list("Its name must end in one of \(JobFile.extensions).")
        } else if name.utf8.count > Self.nameBytesMax {
            self = .list("Its name is longer than \(Self.nameBytesMax) bytes.")
        } else {
            return nil
        }
    }

    /// By what it looks like `now`, and did when it was seen `last`. A file written in place must
    /// have stayed unchanged for `stillness` ms.
    init(_ entry: Entry, _ arrival: Arrival, last: Sighting?, now: Int64, stillness: Int64) {
        switch (entry.kind, arrival) {
        case (.directory, _): self = .ignore
        case (.other, _), (.regular, .movedIn): self = .take
        case (.regular, .found):
            let sighting = last?.entry == entry ? last : nil
            if let sighting, now - sighting.since >= stillness {
                self = .take
            } else {
                self = .watch(sighting ?? Sighting(entry: entry, since: now))
            }
        }
    }
}
