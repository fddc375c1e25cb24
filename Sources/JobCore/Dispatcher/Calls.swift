/// Direct calls that are not answered yet. Whoever sends what is under way already, as Majordomo's
/// clients do after a while without an answer, gets the answer of the same job.
///
/// Who hangs up is not known, so a call is kept until its job ends, or the runner does.
struct Calls {
    /// What makes two calls one: who sent them, and what.
    struct Key: Hashable, Sendable {
        var owner: Owner
        var digest: CallDigest
    }

    private var callers: [Key: [Caller]] = [:]
    private var keys: [JobID: Key] = [:]
    /// Who is to be told how a job has ended; nil once all of them are.
    private var answers: [Answer?] = []
    /// The first of those that are not nil.
    private var firstAnswer = 0
    /// Callers that have no answer, of all calls together.
    private(set) var count = 0

    struct Answer {
        let end: Ended
        var callers: ArraySlice<Caller>
    }

    /// Jobs of calls that are known to be written and have not ended.
    var jobs: Int { keys.count }

    func isUnderWay(_ key: Key) -> Bool { callers[key] != nil }

    mutating func join(_ key: Key, _ caller: Caller) {
        callers[key, default: []].append(caller)
        count += 1
    }

    /// The call's job is written.
    mutating func accepted(_ key: Key, as job: JobID) {
        if isUnderWay(key) { keys[job] = key }
    }

    /// From now on the same call is another one.
    mutating func ended(_ end: Ended) {
        guard !keys.isEmpty, let key = keys.removeValue(forKey: end.end.id),
            let told = callers.removeValue(forKey: key)
        else { return }
        answers.append(Answer(end: end, callers: told[...]))
    }

    /// True while somebody is to be told how a job has ended.
    var isAnswering: Bool { firstAnswer < answers.count }

    /// - Returns: Some of those who are to be told the same, at most so many; nil when all were.
    mutating func nextAnswer(_ most: Int) -> Answer? {
        guard isAnswering, var answer = answers[firstAnswer] else { return nil }
        let rest = answer.callers.dropFirst(most)
        answer.callers = answer.callers.prefix(most)
        count -= answer.callers.count
        if rest.isEmpty {
            answers[firstAnswer] = nil
            firstAnswer += 1
        } else {
            answers[firstAnswer]?.callers = rest
        }
        // Seldom, for what is behind moves up.
        if firstAnswer * 2 >= answers.count {
            answers.removeFirst(firstAnswer)
            firstAnswer = 0
        }
        return answer
    }

    /// The call will come to nothing.
    ///
    /// - Returns: Who is to be told.
    mutating func remove(_ key: Key) -> [Caller] {
        let told = callers.removeValue(forKey: key) ?? []
        count -= told.count
        return told
    }

    /// Gives up all whose jobs have not ended.
    mutating func removeAll() -> [Caller] {
        let told = callers.sorted { $0.key < $1.key }.flatMap(\.value)
        count -= told.count
        (callers, keys) = ([:], [:])
        return told
    }
}

extension Calls.Key: Comparable {
    static func < (a: Self, b: Self) -> Bool { a.order < b.order }

    private var order: (String, UInt64, UInt64) { (owner.rawValue, digest.high, digest.low) }
}
