internal import ArgumentParser

/// A duration on the command line: `10m`, `90s`, `500ms`, `2h`, `7d`; a bare number is seconds.
struct Pause: Equatable, ExpressibleByArgument {
    let ms: Int64

    static let none = Pause(ms: 0)

    private static let units: [(name: String, ms: Int64)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("", 1_000),
    ]

    private init(ms: Int64) { self.ms = ms }

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        let rest = argument.dropFirst(digits.count)
        guard let count = Int64(digits), let unit = Self.units.first(where: { $0.name == rest })
        else { return nil }
        let (ms, overflowed) = count.multipliedReportingOverflow(by: unit.ms)
        guard !overflowed else { return nil }
        self.ms = ms
    }

    var duration: Duration { .milliseconds(ms) }
}
