/// Durations as people write them, on the command line and in files of jobs: a whole number and its
/// unit, `500ms`, `30s`, `10m`, `2h` or `7d`.
public enum WrittenDuration {
    public enum Unit: String, Sendable {
        case milliseconds = "ms"
        case seconds = "s"
        case minutes = "m"
        case hours = "h"
        case days = "d"

        fileprivate var ms: Int64 {
            switch self {
            case .milliseconds: 1
            case .seconds: 1_000
            case .minutes: 60_000
            case .hours: 3_600_000
            case .days: 86_400_000
            }
        }
    }

    /// - Parameters:
    ///   - text: Blanks may stand between number and unit, and nothing else.
    ///   - bare: The unit of a number that has none; without it such a number is refused.
    /// - Returns: Nil for everything else, and for what is longer than `Int64.max` ms.
    public static func milliseconds(_ text: String, bare: Unit? = nil) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let name = text.dropFirst(digits.count).drop { $0 == " " }
        guard let count = Int64(digits),
            let unit = name.isEmpty ? bare : Unit(rawValue: String(name))
        else { return nil }
        let (ms, overflowed) = count.multipliedReportingOverflow(by: unit.ms)
        return overflowed ? nil : ms
    }
}
