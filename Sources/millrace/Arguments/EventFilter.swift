internal import ArgumentParser
internal import JobCore

/// Which events a command is about: those of a job by its number, those of one sort by their last
/// word, such as `failed`, or those whose topic begins with these words.
enum EventFilter: Equatable, ExpressibleByArgument {
    case job(JobID)
    case word(String)
    case topic(String)

    /// The last words of all topics.
    static let words =
        JobState.allCases.map(\.rawValue) + ["progress", "paused", "resumed"]

    init?(argument: String) {
        if let number = Int64(argument) {
            guard number > 0 else { return nil }
            self = .job(JobID(rawValue: number))
        } else if Self.words.contains(argument) {
            self = .word(argument)
        } else if ["job", "queue"].contains(argument.split(separator: ".").first ?? "") {
            self = .topic(argument)
        } else {
            return nil
        }
    }

    /// What to subscribe to: the beginning of every topic that may fit.
    var subscription: String {
        switch self {
        case .job(let id): "job.\(id.rawValue)."
        case .word: ""
        case .topic(let topic): topic
        }
    }

    func fits(_ topic: String) -> Bool {
        guard case .word(let word) = self else { return topic.hasPrefix(subscription) }
        return topic.hasSuffix("." + word)
    }
}
