public import JobCore

/// Moments in words for people.
extension Timestamp {
    /// The moment as RFC 3339 writes it, in UTC, to the second: `2026-11-21T10:50:13Z`. Beyond the
    /// years 0 to 9999, which the format cannot say, the milliseconds since 1970.
    public var utcText: String {
        let seconds = rawValue.flooredQuotient(1_000)
        let day = seconds.flooredQuotient(86_400)
        guard (-719_528...2_932_896).contains(day) else { return "\(rawValue) ms" }

        let (year, month, dayOfMonth) = civil(daysSince1970: day)
        let second = seconds - day * 86_400
        let date = "\(padded(year, 4))-\(padded(month))-\(padded(dayOfMonth))"
        let time = [second / 3_600, second / 60 % 60, second % 60].map { padded($0) }
        return "\(date)T\(time.joined(separator: ":"))Z"
    }
}

/// The date in the Gregorian calendar, reckoned in years that begin with March.
///
/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
private func civil(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = shifted.flooredQuotient(146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
        (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
}

private func padded(_ number: Int64, _ width: Int = 2) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

extension Int64 {
    /// The quotient towards minus infinity; the divisor must be positive.
    fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
