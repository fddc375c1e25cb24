/// Identifies one drop of a file into the spool: a row of the ledger.
public struct FileID: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int64

    public init(rawValue: Int64) { self.rawValue = rawValue }
}

/// A file of the spool that was taken and could be read.
public struct TakenFile: Equatable, Sendable {
    /// What the ledger keeps of it.
    public struct Row: Equatable, Sendable {
        /// As it was dropped.
        public var name: String
        /// As it is called in `taken/`: unique for all time.
        public var takenAs: String
        public var bytes: Int64
        /// SHA-256, in hexadecimal.
        public var digest: String

        public init(name: String, takenAs: String, bytes: Int64, digest: String) {
            self.name = name
            self.takenAs = takenAs
            self.bytes = bytes
            self.digest = digest
        }
    }

    public var row: Row
    public var jobs: [Submission]

    public init(row: Row, jobs: [Submission]) {
        self.row = row
        self.jobs = jobs
    }
}
