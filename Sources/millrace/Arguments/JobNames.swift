internal import ArgumentParser
internal import JobClient
internal import JobCore
internal import JobWire

/// One word that names jobs: `42`, `3-9`, `last`.
enum JobName: Equatable, ExpressibleByArgument {
    case range(ClosedRange<Int64>)
    /// The newest job.
    case last

    init?(argument: String) {
        if argument == "last" {
            self = .last
            return
        }
        let ends = argument.split(separator: "-", omittingEmptySubsequences: false)
            .map { $0.first?.isNumber == true ? Int64($0) : nil }
        guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
            first > 0, last >= first
        else { return nil }
        self = .range(first...last)
    }

    /// The ids that the words name, each once, in the order given.
    ///
    /// - Parameters:
    ///   - names: As they stand on the command line.
    ///   - newest: Asked at most once, when a word is `last`.
    /// - Returns: At least one id, at most as many as a request may name.
    /// - Throws: What `newest` throws, and when there are too many ids or there is no job.
    static func ids(of names: [JobName], newest: () throws -> JobID?) throws -> [JobID] {
        var seen: Set<Int64> = []
        var ids: [JobID] = []
        let most = Limits().requestIDs
        for name in names {
            var range: ClosedRange<Int64>
            switch name {
            case .range(let given): range = given
            case .last:
                guard let id = try newest() else { throw NoJobs() }
                range = id.rawValue...id.rawValue
            }
            guard range.upperBound - range.lowerBound < Int64(most - ids.count) else {
                throw ValidationError("More than \(most) jobs are too many for one command.")
            }
            for id in range where seen.insert(id).inserted { ids.append(JobID(rawValue: id)) }
        }
        return ids
    }
}

/// `last` was asked for and there is none.
struct NoJobs: Explained {
    var summary: String { "The runner has no jobs." }
    var hint: String? { "Submit one with `millrace submit`." }
}

/// The jobs a command is about.
struct JobArguments: ParsableArguments {
    @Argument(help: "Numbers of jobs, ranges such as 3-9, or last for the newest.")
    var jobs: [JobName]

    /// Whether one job is named, so that one object answers.
    var isOne: Bool {
        guard jobs.count == 1 else { return false }
        if case .range(let range) = jobs[0] { return range.count == 1 }
        return true
    }

    func ids(asking client: JobClient) throws -> [JobID] {
        try JobName.ids(of: jobs, newest: client.newestJob)
    }
}

extension JobClient {
    /// Lists begin with the newest job.
    func newestJob() throws -> JobID? {
        let newest = try list(limit: 1)["jobs"]?.arrayValue?.first
        return newest?["id"]?.integerValue.map(JobID.init(rawValue:))
    }
}
