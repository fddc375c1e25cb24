internal import Glibc
internal import JobCore

/// Times, durations and sizes as people say them.
enum Words {
    /// "840 ms", "3.2 s", "4 min 5 s", "2 h 10 min", "3 d 4 h".
    static func duration(ms: Int64) -> String {
        switch ms {
        case ..<0: "0 ms"
        case ..<1_000: "\(ms) ms"
        case ..<10_000: "\(ms / 1_000).\(ms % 1_000 / 100) s"
        case ..<60_000: "\(ms / 1_000) s"
        case ..<3_600_000: pair(ms / 60_000, "min", ms / 1_000 % 60, "s")
        case ..<86_400_000: pair(ms / 3_600_000, "h", ms / 60_000 % 60, "min")
        default: pair(ms / 86_400_000, "d", ms / 3_600_000 % 24, "h")
        }
    }

    /// "3 s ago", "in 2 h", "now". Fractions of a second would only flicker.
    static func ago(_ moment: Timestamp, now: Timestamp) -> String {
        let age = now.ms(since: moment)
        let whole = Int64(clamping: age.magnitude) / 1_000 * 1_000
        if whole == 0 { return "now" }
        let words = whole < 10_000 ? "\(whole / 1_000) s" : duration(ms: whole)
        return age > 0 ? "\(words) ago" : "in \(words)"
    }

    /// "2026-11-21 10:50:13", where the reader is.
    static func localTime(_ moment: Timestamp) -> String {
        var seconds = time_t(moment.rawValue / 1_000)
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return "\(moment.rawValue) ms" }
        var text = [CChar](repeating: 0, count: 64)
        let count = strftime(&text, text.count, "%Y-%m-%d %H:%M:%S", &parts)
        return String(decoding: text.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// "17 bytes", "1.5 KiB", "64 MiB".
    static func bytes(_ count: Int64) -> String {
        guard count >= 1_024 else { return count == 1 ? "1 byte" : "\(count) bytes" }
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        var tenths = Double(count) / 1_024
        var place = 0
        while tenths >= 1_023.95, place < units.count - 1 {
            tenths /= 1_024
            place += 1
        }
        let rounded = (tenths * 10).rounded() / 10
        let text = rounded < 10 ? "\(rounded)" : "\(Int64(rounded.rounded()))"
        return "\(text.hasSuffix(".0") ? String(text.dropLast(2)) : text) \(units[place])"
    }

    /// "1 job", "3 jobs".
    static func count(_ count: Int64, _ noun: String) -> String {
        count == 1 ? "1 \(noun)" : "\(count) \(noun)s"
    }

    private static func pair(
        _ large: Int64,
        _ unit: String,
        _ small: Int64,
        _ smallUnit: String
    ) -> String {
        small == 0 ? "\(large) \(unit)" : "\(large) \(unit) \(small) \(smallUnit)"
    }
}

extension Timestamp {
    static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(rawValue: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
