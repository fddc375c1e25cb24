internal import JobWire

/// Jobs of one kind, which tell their results beforehand.
struct BenchJobs {
    let count: Int
    /// The members of each job's object, by its number from 0, without the braces.
    let members: (Int) -> String
    /// Whether the bytes are what the job of that number must come to.
    let isRight: (Int, [UInt8]) -> Bool
    /// Members that all of them have besides, with a comma before each.
    var terms = ""

    /// A no-op that is told apart by its result.
    static func noOps(_ count: Int) -> BenchJobs {
        BenchJobs(
            count: count,
            members: { #""kernel":"echo","input":\#($0)"# },
            isRight: { $1 == Array("\($0)".utf8) }
        )
    }

    /// One submission of several jobs, with the number of its first one as its name.
    func batch(_ range: Range<Int>) -> [[UInt8]] {
        var text = #"{"request":"\#(range.lowerBound)","jobs":["#
        for number in range {
            text += number == range.lowerBound ? "{" : ",{"
            text += members(number) + terms + "}"
        }
        return BenchLine.message("job.submit", Array((text + "]}").utf8))
    }

    /// One job a message.
    func single(_ number: Int, _ more: String = "") -> [[UInt8]] {
        let text = #"{"request":"\#(number)","# + members(number) + terms + more + "}"
        return BenchLine.message("job.submit", Array(text.utf8))
    }

    /// The number of the first job, and the ids, of a submission by its reply.
    static func ids(_ head: [UInt8]) throws -> (first: Int, ids: [Int64]) {
        let reply = try JSON(parsing: head)
        let ids = reply["ids"]?.arrayValue?.compactMap(\.integerValue)
        guard let name = reply["request"]?.stringValue, let first = Int(name),
            let all = ids ?? reply["id"]?.integerValue.map({ [$0] })
        else { throw BenchError.wrong("a submission is answered without its ids") }
        return (first, all)
    }
}
