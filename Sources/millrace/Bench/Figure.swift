internal import Glibc
internal import JobWire

/// One line of the table: a quantity, and what it came to in every repeat.
struct Figure {
    /// What is measured.
    struct Quantity: Equatable {
        let row: BenchRow
        /// Names it among those of its row: "tcp p50". Empty when it is the only one.
        var name = ""
        let unit: String
        var goal: Goal?
    }

    enum Goal: Equatable {
        case atLeast(Double)
        case atMost(Double)

        var text: String {
            switch self {
            case .atLeast(let value): "≥ \(Figure.text(value))"
            case .atMost(let value): "≤ \(Figure.text(value))"
            }
        }
    }

    let quantity: Quantity
    var values: [Double]

    var median: Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return 0 }
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2)
            ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }

    var least: Double { values.min() ?? 0 }
    var most: Double { values.max() ?? 0 }

    /// Three digits that count, or all digits of what is 100 or more, in groups of three.
    static func text(_ value: Double) -> String {
        guard value.isFinite else { return value > 0 ? "∞" : "–" }
        let places = value.magnitude >= 99.95 ? 0 : value.magnitude >= 9.995 ? 1 : 2
        let unit = places == 0 ? 1.0 : places == 1 ? 10.0 : 100.0
        let scaled = Int64(clamping: Int((value.magnitude * unit).rounded()))
        let whole = grouped(scaled / Int64(unit))
        let sign = value < 0 && scaled > 0 ? "−" : ""
        guard places > 0 else { return sign + whole }
        let fraction = String(scaled % Int64(unit))
        return
            "\(sign)\(whole).\(String(repeating: "0", count: places - fraction.count))\(fraction)"
    }

    private static func grouped(_ whole: Int64) -> String {
        var text = ""
        for (place, digit) in String(whole).enumerated() {
            if place > 0, (String(whole).count - place).isMultiple(of: 3) { text.append(" ") }
            text.append(digit)
        }
        return text
    }

    var json: JSON {
        var object = JSONObject()
        func add(_ key: String, _ value: JSON?) {
            if let value { _ = object.append(key, value) }
        }
        add("row", .string(quantity.row.rawValue))
        add("what", .string(quantity.row.title))
        add("name", quantity.name.isEmpty ? nil : .string(quantity.name))
        add("unit", .string(quantity.unit))
        switch quantity.goal {
        case .atLeast(let value): add("at_least", .real(value))
        case .atMost(let value): add("at_most", .real(value))
        case nil: break
        }
        add("median", .real(median))
        add("min", .real(least))
        add("max", .real(most))
        add("values", .array(values.map(JSON.real)))
        return .object(object)
    }
}
