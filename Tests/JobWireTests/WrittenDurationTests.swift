import JobWire
import Testing

@Suite struct WrittenDurationTests {
    @Test(arguments: [
        ("0ms", 0), ("500ms", 500), ("30s", 30_000), ("10m", 600_000), ("2h", 7_200_000),
        ("7d", 604_800_000), ("007s", 7_000), ("10  m", 600_000), ("9223372036854775807ms", .max),
        ("9223372036854775s", 9_223_372_036_854_775_000),
        ("106751991167d", 9_223_372_036_828_800_000),
    ])
    func `a whole number and a unit are a duration`(text: String, ms: Int64) {
        #expect(WrittenDuration.milliseconds(text) == ms)
        #expect(WrittenDuration.milliseconds(text, bare: .days) == ms)
    }

    @Test(arguments: [
        "", "s", "ms", "-1s", "+1s", "1.5h", "10\tm", " 10m", "10m ", "10M", "1h30m", "10x", "٣s",
        "1\u{301}s", "9223372036854775808ms", "9223372036854776s", "9223372036854775807m",
        "106751991168d", "99999999999999999999s",
    ])
    func `everything else is none`(text: String) {
        #expect(WrittenDuration.milliseconds(text) == nil)
        #expect(WrittenDuration.milliseconds(text, bare: .seconds) == nil)
    }

    @Test func `a bare number is one only where its unit is known`() {
        #expect(WrittenDuration.milliseconds("90") == nil)
        #expect(WrittenDuration.milliseconds("90", bare: .seconds) == 90_000)
        #expect(WrittenDuration.milliseconds("9223372036854775807", bare: .seconds) == nil)
    }
}
