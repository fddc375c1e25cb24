/// The limits that settings may change, by the names that the settings and the protocol give them.
extension Limits {
    public struct Settable: Sendable {
        public let name: String
        public let range: ClosedRange<Int64>
        public let get: @Sendable (Limits) -> Int64
        /// The value must lie in `range`, or is brought into what the field can hold.
        public let set: @Sendable (inout Limits, Int64) -> Void

        fileprivate init<Value: FixedWidthInteger & SendableMetatype>(
            _ name: String,
            _ field: any WritableKeyPath<Limits, Value> & Sendable,
            _ range: ClosedRange<Int64>
        ) {
            self.name = name
            self.range = range
            get = { Int64(clamping: $0[keyPath: field]) }
            set = { $0[keyPath: field] = Value(clamping: $1) }
        }
    }

    /// The most bytes of anything: what SQLite can keep in one row by default (SQLITE_MAX_LENGTH).
    private static let mostBytes: Int64 = 1_000_000_000

    /// More than any disk: 2^50.
    private static let mostGrowth: Int64 = 1 << 50

    public static let settable = [
        Settable("message_bytes", \.messageBytes, 1_024...mostBytes),
        Settable("message_frames", \.messageFrames, 8...1_024),
        Settable("spec_bytes", \.specBytes, 1_024...mostBytes),
        Settable("submission_jobs", \.submissionJobs, 1...100_000),
        Settable("unwritten_bytes", \.unwrittenBytes, 1_024...mostBytes),
        Settable("request_ids", \.requestIDs, 1...100_000),
        Settable("waiting_jobs", \.waitingJobs, 1...1_000_000_000),
        Settable("queues", \.queues, 1...100_000),
        Settable("each_rows", \.eachRows, 1...1_000_000_000),
        Settable("each_bytes", \.eachBytes, 1_024...mostBytes),
        Settable("result_bytes", \.resultBytes, 1_024...mostBytes),
        Settable("result_rows", \.resultRows, 1...1_000_000_000),
        Settable("value_bytes", \.valueBytes, 1_024...mostBytes),
        Settable("growth_bytes", \.growthBytes, 65_536...mostGrowth),
        Settable("reply_bytes", \.replyBytes, 1_024...mostBytes),
        Settable("timeout_ms", \.timeoutMs, timeouts),
        Settable("waits", \.waits, 1...1_000_000),
        Settable("waits_per_client", \.waitsPerClient, 1...1_000_000),
        Settable("awaited_jobs_per_client", \.awaitedJobsPerClient, 1...10_000_000),
        Settable("requests_per_client", \.requestsPerClient, 1...10_000_000),
        Settable("calls", \.calls, 1...10_000_000),
        Settable("jobs_per_second_per_client", \.jobsPerSecondPerClient, 0...1_000_000),
        Settable("input_bytes", \.inputBytes, 1_024...mostBytes),
        Settable("list_jobs", \.listJobs, 1...100_000),
        // Twice what stays allocated of the log when all is well.
        Settable("log_bytes", \.logBytes, 134_217_728...1_000_000_000_000),
    ]
}
