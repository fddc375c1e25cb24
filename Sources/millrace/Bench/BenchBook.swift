internal import JobWire

/// What has been measured, in the order of the first repeat.
struct BenchBook {
    private(set) var figures: [Figure] = []
    /// All repeats together, by the name of their row: "C tcp".
    private(set) var latencies: [(name: String, all: Latencies)] = []

    mutating func note(_ quantity: Figure.Quantity, _ value: Double) {
        if let place = figures.firstIndex(where: { $0.quantity == quantity }) {
            figures[place].values.append(value)
        } else {
            figures.append(Figure(quantity: quantity, values: [value]))
        }
    }

    /// The shares that a row is judged by, and the most.
    ///
    /// - Parameters:
    ///   - row: Whose they are.
    ///   - name: What of the row, such as `tcp`; empty when it is all of it.
    ///   - latencies: Of one repeat.
    ///   - goals: In ms, by the names of the shares, such as `p99`.
    mutating func note(
        _ row: BenchRow,
        _ name: String,
        _ latencies: Latencies,
        goals: [String: Double] = [:]
    ) {
        // A share that less than one of them exceeds is the most.
        let shares = Self.shares.filter { _, share in
            share == 1 || Double(latencies.all.count) * (1 - share) > 0.99
        }
        let values = latencies.milliseconds(at: shares.map(\.1))
        for (share, value) in zip(shares, values) {
            let goal = goals[share.0].map(Figure.Goal.atMost)
            let title = name.isEmpty ? share.0 : "\(name) \(share.0)"
            note(.init(row: row, name: title, unit: "ms", goal: goal), value)
        }
        let whole = name.isEmpty ? row.rawValue : "\(row.rawValue) \(name)"
        if let place = self.latencies.firstIndex(where: { $0.name == whole }) {
            self.latencies[place].all.add(latencies)
        } else {
            self.latencies.append((whole, latencies))
        }
    }

    private static let shares = [
        ("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1),
    ]

    var table: Table {
        var table = Table([
            "row", "what", "goal", .init("median", alignsRight: true), "min–max", "unit",
        ])
        for figure in figures {
            let quantity = figure.quantity
            let title = quantity.row.title
            table.add([
                .init(quantity.row.rawValue),
                .init(quantity.name.isEmpty ? title : "\(title): \(quantity.name)"),
                .init(quantity.goal?.text ?? "", .dim), .init(Figure.text(figure.median)),
                .init("\(Figure.text(figure.least))–\(Figure.text(figure.most))", .dim),
                .init(quantity.unit),
            ])
        }
        return table
    }

    var json: [(String, JSON)] {
        let histograms = latencies.map { name, all -> JSON in
            let buckets = all.buckets.map { bucket -> JSON in
                [
                    "up_to_ms": .real(min(bucket.upToMs, 1e9)),
                    "count": .integer(Int64(bucket.count)),
                ]
            }
            return ["name": .string(name), "buckets": .array(buckets)]
        }
        return [
            ("figures", .array(figures.map(\.json))), ("histograms", .array(histograms)),
        ]
    }
}
