import JobCore
import Testing

@Suite("Moments") struct TimestampTests {
    @Test func `a moment too far away is the end of time and not an overflow`() {
        #expect(Timestamp(rawValue: .max - 1).adding(ms: 5) == .distantFuture)
        #expect(Timestamp(rawValue: 5).adding(ms: -6) == Timestamp(rawValue: -1))
        #expect(Timestamp(rawValue: .max).ms(since: Timestamp(rawValue: -1)) == .max)
    }
}
