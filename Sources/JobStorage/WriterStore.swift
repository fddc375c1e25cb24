package import JobCore

/// The store as the writer's thread uses it: the seam at which a test program hands in another.
package protocol WriterStore: Store where Problem == StoreError {
    func recover(inFlight: [InFlight], at now: Timestamp) throws(StoreError) -> Recovery
    func stop(_ run: RunID, at now: Timestamp) throws(StoreError)
    /// Size of the write-ahead log, in bytes.
    var logBytes: Int64 { get }
    func shrinkLog() throws(StoreError)
}

extension JobStore: WriterStore {}

/// Opens the store in a file, for the thread that will own it.
package typealias StoreOpening =
    @Sendable (_ path: String, Limits) throws(StoreError) -> any WriterStore

/// When what was committed is sure to survive a power cut.
package enum StoreSync: String, Sendable {
    /// As soon as it is committed.
    case full = "FULL"
    /// At the next checkpoint: for the control of a power-cut test, which must catch it.
    case normal = "NORMAL"
}
