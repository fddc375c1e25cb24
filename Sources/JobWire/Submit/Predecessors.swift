public import JobCore

/// A job of several that does not fit to the others.
public struct UnfitJob: Error, Equatable {
    /// Where it stands, from 0.
    public let place: Int
    /// Its field is named as if the job stood alone.
    public let refusal: Refusal
}

extension [Submission] {
    /// The jobs of one submission, each with the places of those that it comes after by name.
    ///
    /// - Throws: The job with which there are too many that come after others, the first one that
    ///   comes after a name which nobody has or several have, or the first of those that wait for
    ///   each other in a circle.
    public func linked() throws(UnfitJob) -> [Submission] {
        guard contains(where: { !$0.after.isEmpty }) else { return self }
        if let place = placeOfTooMany {
            throw UnfitJob(place: place, refusal: .tooManyPredecessors)
        }
        let names = NameBook(self)
        var linked = self
        for place in indices {
            for number in linked[place].after.indices {
                guard let name = linked[place].after[number].name else { continue }
                do throws(Refusal) {
                    linked[place].after[number].place = try names.place(of: name, number)
                } catch {
                    throw UnfitJob(place: place, refusal: error)
                }
            }
        }
        if let circle = linked.circle {
            throw UnfitJob(place: circle[0], refusal: .circle(circle.map { self[$0].spec.name }))
        }
        return linked
    }

    /// The first job with which all together come after more than may be; nil when none is.
    private var placeOfTooMany: Int? {
        var count = 0
        return firstIndex { job in
            count += job.after.count
            return count > Limits.dependenciesTogether
        }
    }

    /// The places of jobs of which each comes after the next one, and the last after the first; nil
    /// when there are none such.
    private var circle: [Int]? {
        var isDone = [Bool](repeating: false, count: count)
        for start in indices where !isDone[start] {
            if let found = circle(from: start, &isDone) { return found }
        }
        return nil
    }

    /// Follows every way from one job. A way may be as long as there are jobs, so there is no
    /// recursion.
    private func circle(from start: Int, _ isDone: inout [Bool]) -> [Int]? {
        var way = [(place: start, next: 0)]
        var steps: [Int: Int] = [start: 0]
        while let (place, next) = way.last {
            guard next < self[place].after.count else {
                isDone[place] = true
                steps[place] = nil
                way.removeLast()
                continue
            }
            way[way.count - 1].next += 1
            guard let other = self[place].after[next].place, !isDone[other] else { continue }
            if let step = steps[other] { return way[step...].map(\.place) }
            steps[other] = way.count
            way.append((other, 0))
        }
        return nil
    }
}

/// What the jobs of one submission are called.
private struct NameBook {
    /// Names that are looked through for one that was meant, at most.
    private static let known = 1_000

    private var places: [String: Int] = [:]
    private var doubles: Set<String> = []

    init(_ jobs: [Submission]) {
        for (place, job) in jobs.enumerated() {
            guard let name = job.spec.name else { continue }
            if places.updateValue(place, forKey: name) != nil { doubles.insert(name) }
        }
    }

    func place(of name: String, _ number: Int) throws(Refusal) -> Int {
        let field = "after[\(number)]"
        guard let place = places[name] else {
            throw Refusal(
                422,
                "unknown_predecessor",
                "No job of this submission is called \(quoted(name)).",
                hint: hint(for: name, among: places.keys.prefix(Self.known)),
                field: field
            )
        }
        guard !doubles.contains(name) else {
            throw .invalid(
                field,
                "Several jobs of this submission are called \(quoted(name)).",
                hint: "Give a job that others come after a name of its own."
            )
        }
        return place
    }
}

extension Refusal {
    /// Names of a circle that a sentence tells; the others are left out.
    private static let toldNames = 8

    fileprivate static func circle(_ names: [String?]) -> Refusal {
        let all = names.map { quoted($0 ?? "") }
        var told = Array(all.prefix(toldNames))
        if all.count > told.count { told.append("…") }
        let way = (told + [all[0]]).joined(separator: ", ")
        return Refusal(
            422,
            "dependency_cycle",
            all.count == 1
                ? "The job \(all[0]) comes after itself."
                : "Jobs wait for each other in a circle: \(way).",
            hint: "Take one of them out of another's after.",
            field: "after"
        )
    }

    fileprivate static let tooManyPredecessors = Refusal(
        422,
        "out_of_bounds",
        "The jobs of one submission come after at most \(Limits.dependenciesTogether) others, all "
            + "together.",
        hint: "Put a job between the many before and the many after, or submit fewer at a time.",
        field: "after"
    )

    /// Of a job whose work takes a result of one that it does not come after.
    static func notAfter(_ label: ResultReference.Label, _ field: String) -> Refusal {
        .invalid(
            field,
            "The result of \(label.words) is taken, which does not stand in after.",
            hint: "Add it to after."
        )
    }
}

extension JSON {
    /// Ids, and names of jobs of the same submission; one that stands twice counts once.
    func predecessors(_ field: String) throws(Refusal) -> [Predecessor] {
        var found: [Predecessor] = []
        var seen: Set<Predecessor.Reference> = []
        for (place, element) in try list(field, count: 0...Limits.dependencies).enumerated() {
            let reference: Predecessor.Reference
            switch element {
            case .string: reference = .sibling(try element.text("\(field)[\(place)]"))
            case .integer: reference = .job(try element.id("\(field)[\(place)]"))
            default:
                throw .wrongType("\(field)[\(place)]", wants: "an id or a name", found: element)
            }
            if seen.insert(reference).inserted { found.append(Predecessor(reference)) }
        }
        return found
    }
}
