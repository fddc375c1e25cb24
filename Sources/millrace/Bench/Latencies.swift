/// How long each of many requests took, and how people look at that.
struct Latencies {
    /// In ns.
    private(set) var all: [UInt64] = []

    mutating func add(_ nanoseconds: UInt64) { all.append(nanoseconds) }
    mutating func add(_ other: Latencies) { all += other.all }

    /// In ms, for each share the least that as many did not exceed; zero when there are none.
    /// Source: nearest-rank percentiles, as wrk and HdrHistogram tell them.
    func milliseconds(at shares: [Double]) -> [Double] {
        let sorted = all.sorted()
        return shares.map { Self.milliseconds(sorted, at: $0) }
    }

    private static func milliseconds(_ sorted: [UInt64], at share: Double) -> Double {
        guard !sorted.isEmpty else { return 0 }
        let rank = Int((share * Double(sorted.count)).rounded(.up))
        return Double(sorted[min(max(rank, 1), sorted.count) - 1]) / 1e6
    }

    /// One bucket: how many took at most so many ms, and longer than the bucket before.
    struct Bucket: Equatable {
        let upToMs: Double
        let count: Int
    }

    /// From the first that has any to the last, at steps of 1, 1.5, 2, 3, 5 and 7 in each decade.
    var buckets: [Bucket] {
        var bounds: [Double] = []
        var decade = 0.001
        while decade < 1e6 {
            bounds += [1, 1.5, 2, 3, 5, 7].map { $0 * decade }
            decade *= 10
        }
        var counts = [Int](repeating: 0, count: bounds.count + 1)
        for one in all {
            let ms = Double(one) / 1e6
            // Few and sorted; a search by halves would be no shorter to read.
            counts[bounds.firstIndex { ms <= $0 } ?? bounds.count] += 1
        }
        guard let first = counts.firstIndex(where: { $0 > 0 }),
            let last = counts.lastIndex(where: { $0 > 0 })
        else { return [] }
        return (first...last).map { place in
            Bucket(upToMs: place < bounds.count ? bounds[place] : .infinity, count: counts[place])
        }
    }

    /// A line for each bucket, its bar as long as its share; what is rare still shows.
    var histogram: [String] {
        let buckets = buckets
        let most = buckets.map(\.count).max() ?? 0
        return buckets.map { bucket in
            let length = bucket.count * Self.barLength / max(most, 1)
            let bar = String(repeating: "█", count: length)
            let mark = bucket.count > 0 && length == 0 ? "▏" : ""
            let bound = Figure.text(bucket.upToMs)
            let margin = String(repeating: " ", count: max(8 - bound.count, 0))
            return "  ≤ \(margin)\(bound) ms  \(bar)\(mark) \(bucket.count)"
        }
    }

    private static let barLength = 50
}
